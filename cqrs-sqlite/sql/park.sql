-- ?1 name, ?2 version, ?3 category, ?4 key
-- ?5 version, ?6 position and ?7 type of the event that failed
-- ?8 attempts, ?9 error, ?10 since, ?11 request
INSERT INTO cqrs_parked (
    name, version, category, key, event_version, position, event_type, attempts, error, since, request
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
-- A stream that fails again has been waiting since the first time.
ON CONFLICT (name, version, category, key) DO UPDATE SET
    event_version = excluded.event_version,
    position = excluded.position,
    event_type = excluded.event_type,
    attempts = excluded.attempts,
    error = excluded.error,
    request = excluded.request

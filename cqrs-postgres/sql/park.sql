-- Parks a stream, or notes another failure of one that is parked.
--
-- $1 projection, $2 category, $3 key
-- $4 version, $5 position and $6 type of the event that failed
-- $7 attempts, $8 error
INSERT INTO cqrs.parked (projection, category, key, version, position, event_type, attempts, error)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
-- A stream that fails again has been waiting since the first time.
ON CONFLICT (projection, category, key) DO UPDATE
SET version = excluded.version, position = excluded.position, event_type = excluded.event_type,
    attempts = excluded.attempts, error = excluded.error

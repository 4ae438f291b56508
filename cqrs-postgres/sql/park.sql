-- Parks a stream, or notes another failure of one that is parked.
--
-- $1 projection, $2 version, $3 category, $4 key
-- $5 version in the stream, $6 position and $7 type of the event that failed
-- $8 attempts, $9 error, $10 since when, $11 what is to be done
INSERT INTO cqrs.parked
    (name, version, category, key, stream_version, position, event_type, attempts, error, since, request)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
-- A stream that fails again has been waiting since the first time.
ON CONFLICT (name, version, category, key) DO UPDATE
SET stream_version = excluded.stream_version, position = excluded.position, event_type = excluded.event_type,
    attempts = excluded.attempts, error = excluded.error, request = excluded.request

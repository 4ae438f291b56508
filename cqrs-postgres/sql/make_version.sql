-- Makes a version of a projection, at the beginning of the log.
--
-- $1 projection, $2 version, $3 event types, $4 whether it is in service
-- $5 its tables, $6 the schema of the application, $7 the schema for its tables while it is beside
-- $8 slots, $9 where the log ends now
WITH made AS (
    INSERT INTO cqrs.projections (name, version, events, in_service, has_served, tables, schema, schema_beside, replays_to)
    VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $9)
)
INSERT INTO cqrs.checkpoints (name, version, slot, position, token, commits, events)
SELECT $1, $2, slot, 0, 0, 0, 0 FROM generate_series(0::bigint, $8 - 1) AS slot

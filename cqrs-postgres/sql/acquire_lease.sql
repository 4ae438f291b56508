-- Takes a lease with a new token; makes a checkpoint at the beginning of the log if there is none. Without a token in
-- the answer nothing is changed: another owner has the lease, or the checkpoint belongs to something else, as the rest
-- of the answer says; where it says neither, the lease changed hands at this very moment.
--
-- $1 projection, $2 its version, $3 its event types
-- $4 owner, $5 for so many milliseconds
WITH held AS MATERIALIZED (
    SELECT version, events, CASE WHEN until > clock_timestamp() THEN owner END AS owner
    FROM cqrs.projections
    WHERE name = $1
), taken AS (
    INSERT INTO cqrs.projections AS projection (name, version, events, position, token, commits, owner, until, updated_at)
    SELECT $1, $2, $3, 0, 1, 0, $4, clock_timestamp() + $5::bigint * interval '1 millisecond', clock_timestamp()
    -- Those who stand by ask again and again: they neither write nor wait.
    WHERE NOT EXISTS (SELECT FROM held WHERE version <> $2 OR events <> $3 OR owner <> $4)
    ON CONFLICT (name) DO UPDATE
    SET token = projection.token + 1, owner = excluded.owner,
        until = clock_timestamp() + $5::bigint * interval '1 millisecond', updated_at = clock_timestamp()
    -- Asked of the row once it is locked: this is what decides between those who want it at the same time.
    WHERE projection.version = excluded.version AND projection.events = excluded.events
        AND (projection.owner IS NULL OR projection.owner = excluded.owner OR projection.until <= clock_timestamp())
    RETURNING token, position, commits
)
SELECT
    (SELECT token FROM taken) AS token,
    (SELECT position FROM taken) AS position,
    (SELECT commits FROM taken) AS commits,
    (SELECT version FROM held) AS version,
    (SELECT events FROM held) AS events,
    (SELECT owner FROM held) AS owner

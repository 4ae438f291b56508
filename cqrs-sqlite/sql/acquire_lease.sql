-- Takes a lease with a new token; makes a checkpoint at the beginning of the log if there is none. Returns no row when
-- another owner has it, or the checkpoint belongs to something else; nothing is changed then.
--
-- ?1 projection, ?2 its version, ?3 its event types
-- ?4 owner, ?5 for so many milliseconds
INSERT INTO cqrs_projections AS held (name, version, events, position, token, owner, until, updated_at)
SELECT ?1, ?2, ?3, 0, 1, ?4, now + ?5, now
FROM (SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER) AS now)
-- So that the parser does not take what follows for the condition of a join.
WHERE true
ON CONFLICT (name) DO UPDATE SET
    token = held.token + 1,
    owner = excluded.owner,
    until = excluded.until,
    updated_at = excluded.updated_at
WHERE held.version = excluded.version
    AND held.events = excluded.events
    AND (held.owner IS NULL OR held.owner = excluded.owner OR held.until <= excluded.updated_at)
RETURNING token, position

-- Gives back all leases of a member, which shares no more.
--
-- $1 projection, $2 version, $3 member
-- $4 the slots of its leases, $5 their tokens, $6 the commits it knows of, $7 positions
-- $8 what kept it from going on
WITH owned AS MATERIALIZED (
    SELECT slot FROM cqrs.checkpoints
    WHERE name = $1 AND version = $2 AND owner = $3
    ORDER BY slot
    FOR NO KEY UPDATE
), left_by AS (
    DELETE FROM cqrs.members WHERE name = $1 AND version = $2 AND id = $3
)
UPDATE cqrs.checkpoints AS c
SET owner = NULL, until = NULL, error = $8,
    -- Who gives a lease back may not know of its last commit; or may know of one that is lost, and its rows with it.
    position = greatest(c.position, (
        SELECT held.position
        FROM unnest($4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]) AS held (slot, token, commits, position)
        WHERE held.slot = c.slot AND held.token = c.token AND held.commits <= c.commits
    ))
FROM owned
WHERE c.name = $1 AND c.version = $2 AND c.slot = owned.slot AND c.owner = $3

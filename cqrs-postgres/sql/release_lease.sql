-- Gives a lease back.
--
-- $1 projection, $2 token, $3 the commits its owner knows of, $4 position
UPDATE cqrs.projections
SET
    -- Who gives the lease back may not know of its last commit; or may know of one that is lost, and its rows with it.
    position = CASE WHEN commits >= $3 THEN greatest(position, $4) ELSE position END,
    owner = NULL, until = NULL, updated_at = clock_timestamp()
WHERE name = $1 AND token = $2 AND owner IS NOT NULL

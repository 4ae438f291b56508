-- Prolongs leases, those that are in force, and tells how many are.
--
-- $1 projection, $2 version, $3 the slots of the leases, $4 their tokens, $5 the commits their owner knows of
-- $6 from now on for so many milliseconds
WITH held AS MATERIALIZED (
    SELECT c.slot
    FROM unnest($3::bigint[], $4::bigint[], $5::bigint[]) AS lease (slot, token, commits)
    JOIN cqrs.checkpoints AS c ON c.name = $1 AND c.version = $2 AND c.slot = lease.slot AND c.token = lease.token
        AND c.commits >= lease.commits AND c.owner IS NOT NULL
    ORDER BY c.slot
    FOR NO KEY UPDATE OF c
), prolonged AS (
    UPDATE cqrs.checkpoints AS c
    SET until = clock_timestamp() + $6::bigint * interval '1 millisecond', heard_at = clock_timestamp()
    FROM held
    WHERE c.name = $1 AND c.version = $2 AND c.slot = held.slot
    RETURNING c.slot
)
SELECT count(*) AS prolonged FROM prolonged

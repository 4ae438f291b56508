-- Prolongs a lease and moves its checkpoint; changes nothing when the lease belongs to another by now, when commits that
-- its owner knows of are lost, or when the transaction in which it should happen ($6) is over.
--
-- $1 projection, $2 token, $3 the commits its owner knows of
-- $4 position, $5 from now on for so many milliseconds
WITH moved AS (
    UPDATE cqrs.projections
    SET position = greatest(position, $4), commits = commits + 1,
        until = clock_timestamp() + $5::bigint * interval '1 millisecond', updated_at = clock_timestamp()
    WHERE name = $1 AND token = $2 AND commits >= $3 AND owner IS NOT NULL
        AND (NOT $6::boolean OR current_setting('cqrs.projecting', true) = 'yes')
    RETURNING commits
)
SELECT
    (SELECT commits FROM moved) AS commits,
    coalesce(current_setting('cqrs.projecting', true) = 'yes', false) AS is_projecting

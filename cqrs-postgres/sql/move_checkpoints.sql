-- Moves checkpoints and prolongs their leases, those that are in force, and tells how many are. A lease is not when it
-- belongs to another by now, when commits that its owner knows of are lost, or when the transaction in which this
-- should happen is over.
--
-- $1 projection, $2 version, $3 the slots of the leases, $4 their tokens, $5 the commits their owner knows of
-- $6 positions, $7 events, $8 from now on for so many milliseconds
WITH held AS MATERIALIZED (
    -- In the order in which all lock them.
    SELECT c.slot, lease.position, CASE lease.number WHEN 1 THEN $7::bigint ELSE 0 END AS events
    FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
        WITH ORDINALITY AS lease (slot, token, commits, position, number)
    JOIN cqrs.checkpoints AS c ON c.name = $1 AND c.version = $2 AND c.slot = lease.slot AND c.token = lease.token
        AND c.commits >= lease.commits AND c.owner IS NOT NULL
    WHERE current_setting('cqrs.projecting', true) = 'yes'
    ORDER BY c.slot
    FOR NO KEY UPDATE OF c
), moved AS (
    UPDATE cqrs.checkpoints AS c
    SET position = greatest(c.position, held.position), commits = c.commits + 1, events = c.events + held.events,
        until = clock_timestamp() + $8::bigint * interval '1 millisecond', heard_at = clock_timestamp(), error = NULL
    FROM held
    WHERE c.name = $1 AND c.version = $2 AND c.slot = held.slot
    RETURNING c.slot
)
SELECT (SELECT count(*) FROM moved) AS moved,
    coalesce(current_setting('cqrs.projecting', true) = 'yes', false) AS is_projecting

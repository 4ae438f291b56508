-- Changes as many rows as leases are in force.
--
-- ?1 name, ?2 version
-- ?3 leases: [[slot, token, commits, position], …]
-- ?4 now, ?5 until, ?6 number of events
UPDATE cqrs_checkpoints AS checkpoint
SET
    position = max(checkpoint.position, lease.value ->> 3),
    commits = checkpoint.commits + 1,
    -- The events of a transaction are counted once.
    events = checkpoint.events + iif(lease.key = 0, ?6, 0),
    until = ?5,
    error = NULL,
    heard_at = ?4
FROM json_each(?3) AS lease
WHERE checkpoint.name = ?1 AND checkpoint.version = ?2
    AND checkpoint.slot = lease.value ->> 0
    AND checkpoint.token = lease.value ->> 1
    AND checkpoint.commits >= lease.value ->> 2
    AND checkpoint.owner IS NOT NULL

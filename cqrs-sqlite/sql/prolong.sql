-- Changes as many rows as leases are in force.
--
-- ?1 name, ?2 version
-- ?3 leases: [[slot, token, commits, position], …]
-- ?4 now, ?5 until
UPDATE cqrs_checkpoints AS checkpoint
SET until = ?5, heard_at = ?4
FROM json_each(?3) AS lease
WHERE checkpoint.name = ?1 AND checkpoint.version = ?2
    AND checkpoint.slot = lease.value ->> 0
    AND checkpoint.token = lease.value ->> 1
    AND checkpoint.commits >= lease.value ->> 2
    AND checkpoint.owner IS NOT NULL

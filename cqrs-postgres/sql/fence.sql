-- The lowest append fence held in this database, null if there is none. See `cqrs.before_append()`.
SELECT min(((classid::bigint & 65535) << 32) | objid::bigint) AS lowest
FROM pg_catalog.pg_locks
WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted AND objsubid = 1
    -- The upper half of the key begins with the tag, 0x4351.
    AND classid::bigint >> 16 = 17233
    AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())

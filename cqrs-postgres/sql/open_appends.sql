-- The append fences held in this database, lowest first, and by whom. See `cqrs.before_append()`.
--
-- What a session does, from where and since when only its own role may see, and roles like `pg_read_all_stats`.
SELECT
    ((lock.classid::bigint & 65535) << 32) | lock.objid::bigint AS after,
    lock.pid,
    prepared.gid,
    nullif(session.application_name, '') AS application,
    session.state,
    coalesce(host(session.client_addr), CASE WHEN session.state IS NOT NULL THEN 'local' END) AS address,
    date_trunc('second', begun.at)::text AS since,
    extract(epoch FROM clock_timestamp() - begun.at)::float8 AS seconds
FROM pg_catalog.pg_locks AS lock
    LEFT JOIN pg_catalog.pg_stat_activity AS session ON session.pid = lock.pid
    -- A prepared transaction has no process. It is found by the lock on its own id, which goes under the same name; the
    -- name is not unique, so there may be several to choose from.
    LEFT JOIN LATERAL (
        SELECT string_agg(gid, '` or `' ORDER BY gid) AS gid, min(prepared) AS prepared
        FROM pg_catalog.pg_locks AS own JOIN pg_catalog.pg_prepared_xacts ON transaction = own.transactionid
        WHERE own.locktype = 'transactionid' AND own.mode = 'ExclusiveLock' AND own.pid IS NULL
            AND own.virtualtransaction = lock.virtualtransaction
    ) AS prepared ON lock.pid IS NULL
    CROSS JOIN LATERAL (SELECT coalesce(session.xact_start, prepared.prepared)) AS begun (at)
WHERE lock.locktype = 'advisory' AND lock.mode = 'ShareLock' AND lock.granted AND lock.objsubid = 1
    -- The upper half of the key begins with the tag, 0x4351.
    AND lock.classid::bigint >> 16 = 17233
    AND lock.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
ORDER BY after, begun.at

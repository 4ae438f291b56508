-- What kind of server this is, and whether the store's own account of migrations is there. The catalog is read as a
-- table: looked up by name, what another session creates could stay unseen until the transaction ends.
SELECT current_setting('server_version_num')::integer AS version, pg_is_in_recovery() AS follows,
    current_setting('fsync')::boolean AS fsync,
    EXISTS (
        SELECT FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = 'cqrs' AND relname = 'migrations'
    ) AS has_migrations

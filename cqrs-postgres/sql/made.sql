-- What is in a schema, in the order in which it was made: tables, and what can't be moved with a table. Indexes, and
-- sequences of columns, move with their tables.
SELECT CASE WHEN relkind = 'r' AND NOT relispartition THEN relname::text END AS table_name,
    pg_describe_object(classid, objid, 0) AS description
FROM pg_catalog.pg_depend
LEFT JOIN pg_catalog.pg_class ON classid = 'pg_catalog.pg_class'::regclass AND pg_class.oid = objid
WHERE refclassid = 'pg_catalog.pg_namespace'::regclass
    AND refobjid = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1)
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS owned
        WHERE relkind = 'S' AND owned.classid = pg_depend.classid AND owned.objid = pg_depend.objid
            AND owned.refclassid = 'pg_catalog.pg_class'::regclass AND owned.deptype IN ('a', 'i')
    )
ORDER BY objid

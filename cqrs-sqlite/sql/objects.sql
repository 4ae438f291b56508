-- How tables were made, with their indexes and triggers; in the order in which they can be made again.
--
-- ?1 tables: [name, …]
SELECT type, name, sql
FROM sqlite_schema
WHERE tbl_name IN (SELECT value FROM json_each(?1)) AND type IN ('table', 'index', 'trigger') AND sql IS NOT NULL
ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END, rowid

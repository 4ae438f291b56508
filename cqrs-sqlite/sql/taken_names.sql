-- Which of these names belong to something already, other than those tables.
--
-- ?1 names: [name, …], ?2 tables: [name, …]
SELECT name
FROM sqlite_schema
WHERE lower(name) IN (SELECT lower(value) FROM json_each(?1))
    AND tbl_name NOT IN (SELECT value FROM json_each(?2))
ORDER BY name

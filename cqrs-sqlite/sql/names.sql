-- The names of tables, indexes and triggers, but for those that SQLite gives.
SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\'

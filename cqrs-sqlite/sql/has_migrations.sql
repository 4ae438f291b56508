-- Whether this database has been used by the framework before.
SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'cqrs_migrations')

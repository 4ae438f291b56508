-- Which changes of the schema have been made. `PRAGMA user_version` is left to the application.
CREATE TABLE IF NOT EXISTS cqrs_migrations (
    number     INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    -- Milliseconds since 1970-01-01 UTC.
    applied_at INTEGER NOT NULL
) STRICT

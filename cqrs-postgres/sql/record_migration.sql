-- Notes that a migration ran.
INSERT INTO cqrs.migrations (number, name) VALUES ($1, $2)

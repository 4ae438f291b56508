-- ?1 number, ?2 name
INSERT INTO cqrs_migrations (number, name, applied_at)
VALUES (?1, ?2, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))

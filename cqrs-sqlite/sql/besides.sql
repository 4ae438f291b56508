-- Versions in files of their own.
--
-- ?1 name, or null for all
SELECT name, version, file FROM cqrs_beside WHERE gone = 0 AND (?1 IS NULL OR name = ?1)

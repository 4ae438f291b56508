-- The version is in its file no more.
--
-- ?1 name, ?2 version
UPDATE cqrs_beside SET gone = 1 WHERE name = ?1 AND version = ?2 AND gone = 0 RETURNING file

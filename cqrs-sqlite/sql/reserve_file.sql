-- A file name that was never used. Until the version is in it, the file is one to be deleted.
--
-- ?1 name, ?2 version, ?3 what the file name says of them
INSERT INTO cqrs_beside (name, version, file, gone)
VALUES (?1, ?2, ?3 || (1 + coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'cqrs_beside'), 0)), 1)
RETURNING number, file

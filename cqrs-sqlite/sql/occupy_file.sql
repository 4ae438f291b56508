-- The version is in the file now. Whoever clears up may have taken the reservation for a leftover.
--
-- ?1 number, ?2 name, ?3 version, ?4 file
INSERT INTO cqrs_beside (number, name, version, file, gone)
VALUES (?1, ?2, ?3, ?4, 0)
ON CONFLICT (number) DO UPDATE SET gone = 0

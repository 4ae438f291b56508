-- All but these.
--
-- ?1 name, ?2 version, ?3 members: [[id, label, until], …]
DELETE FROM cqrs_members
WHERE name = ?1 AND version = ?2 AND id NOT IN (SELECT value ->> 0 FROM json_each(?3))

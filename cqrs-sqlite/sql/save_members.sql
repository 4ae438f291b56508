-- ?1 name, ?2 version, ?3 members: [[id, label, until], …]
INSERT OR REPLACE INTO cqrs_members (name, version, id, label, until)
SELECT ?1, ?2, value ->> 0, value ->> 1, value ->> 2 FROM json_each(?3)

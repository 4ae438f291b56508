-- ?1 name, ?2 version, ?3 category, ?4 key, ?5 what is asked for
UPDATE cqrs_parked SET request = ?5 WHERE name = ?1 AND version = ?2 AND category = ?3 AND key = ?4

-- ?1 name, ?2 version, ?3 category, ?4 key
DELETE FROM cqrs_parked WHERE name = ?1 AND version = ?2 AND category = ?3 AND key = ?4

-- ?1 projection, ?2 category, ?3 key
DELETE FROM cqrs_parked WHERE projection = ?1 AND category = ?2 AND key = ?3

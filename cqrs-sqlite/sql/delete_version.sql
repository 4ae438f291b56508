-- ?1 name, ?2 version
DELETE FROM cqrs_projections WHERE name = ?1 AND version = ?2

-- ?1 name, ?2 version, ?3 from this slot on
DELETE FROM cqrs_checkpoints WHERE name = ?1 AND version = ?2 AND slot >= ?3

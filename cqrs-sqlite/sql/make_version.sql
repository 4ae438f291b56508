-- ?1 name, ?2 version, ?3 event types
-- ?4 history ends here, ?5 tables: [name, …]
INSERT INTO cqrs_projections (name, version, events, replays_to, tables) VALUES (?1, ?2, ?3, ?4, ?5)

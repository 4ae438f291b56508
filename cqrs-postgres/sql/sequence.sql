-- The last position drawn, null before the first; and whether this server only follows another.
SELECT pg_catalog.pg_sequence_last_value('cqrs.events_position_seq') AS drawn, pg_catalog.pg_is_in_recovery() AS follows

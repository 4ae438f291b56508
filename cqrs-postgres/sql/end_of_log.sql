-- The position of the last event, null before the first; and whether this server only follows another.
SELECT (SELECT max(position) FROM cqrs.events) AS last, pg_catalog.pg_is_in_recovery() AS follows

-- The version of a stream, 0 if it has no events.
SELECT coalesce((SELECT version FROM cqrs.events WHERE category = $1 AND key = $2 ORDER BY version DESC LIMIT 1), 0)
    AS version

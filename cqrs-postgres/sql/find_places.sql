-- Where those of these events are that are stored.
SELECT event_id, category = $2 AND key = $3 AS here, version, position
FROM cqrs.events
WHERE event_id = ANY ($1::uuid[])

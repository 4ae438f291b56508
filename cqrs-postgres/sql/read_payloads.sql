-- The payloads of the events at some positions, where other statements have them.
SELECT position, NULL AS version, NULL AS event_id, NULL AS event_type, NULL AS schema_version, payload
FROM cqrs.events
WHERE position = ANY ($1)

-- The events of all streams after a position, up to another, of the categories and event types wanted; null means all.
-- A payload of more than $6 bytes is left out; then `bytes` tells how large it is.
SELECT position, version, event_id, event_type, schema_version,
    CASE WHEN octet_length(payload::text) <= $6 THEN payload END AS payload, correlation_id, causation_id, details,
    recorded_at, category, key,
    CASE WHEN octet_length(payload::text) > $6 THEN octet_length(payload::text) END AS bytes
FROM cqrs.events
WHERE position > $1 AND position <= $2
    AND ($4::text[] IS NULL OR category = ANY ($4))
    AND ($5::text[] IS NULL OR event_type = ANY ($5))
ORDER BY position
LIMIT $3

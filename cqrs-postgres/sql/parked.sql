-- The parked streams of a version.
SELECT category, key, stream_version, position, event_type, attempts, error, since, request
FROM cqrs.parked
WHERE name = $1 AND version = $2
ORDER BY position

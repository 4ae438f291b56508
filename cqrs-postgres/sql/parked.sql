-- The parked streams of a projection.
SELECT category, key, version, position, event_type, attempts, error
FROM cqrs.parked
WHERE projection = $1
ORDER BY position

-- ?1 projection
SELECT category, key, version, position, event_type, attempts, error
FROM cqrs_parked
WHERE projection = ?1
ORDER BY position

-- ?1 name, ?2 version
SELECT category, key, event_version, position, event_type, attempts, error, since, request
FROM cqrs_parked
WHERE name = ?1 AND version = ?2
ORDER BY position

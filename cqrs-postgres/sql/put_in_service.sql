-- Puts a version into service.
SELECT outcome, seen, furthest FROM cqrs.put_in_service($1, $2, $3)

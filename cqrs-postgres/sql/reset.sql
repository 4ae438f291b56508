-- Empties a version.
SELECT cqrs.reset($1, $2, $3) AS outcome

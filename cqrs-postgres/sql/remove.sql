-- Removes a version that is beside.
SELECT cqrs.remove($1, $2) AS was_there

-- Asks for something to be done about a parked stream, and tells whether it is parked.
WITH asked AS (
    UPDATE cqrs.parked SET request = $5 WHERE name = $1 AND version = $2 AND category = $3 AND key = $4 RETURNING 1
)
SELECT EXISTS (SELECT FROM asked) AS is_parked

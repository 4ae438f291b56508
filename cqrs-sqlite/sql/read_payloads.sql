-- The payloads of the events at some positions: ?1 is a JSON array of them.
SELECT position, payload FROM cqrs_events WHERE position IN (SELECT value FROM json_each(?1))

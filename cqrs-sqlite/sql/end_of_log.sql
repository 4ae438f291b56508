-- The last position of the log; null if it is empty.
SELECT max(position) FROM cqrs_events

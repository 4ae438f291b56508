-- The number of the last migration that ran here, null if none did; and whether we may read the sequence.
SELECT (SELECT max(number) FROM cqrs.migrations) AS number,
    has_sequence_privilege('cqrs.events_position_seq', 'SELECT') AS may_read_sequence

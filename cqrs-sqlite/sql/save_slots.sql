-- ?1 name, ?2 version
-- ?3 slots: [[slot, position, token, commits, events, owner, until, error, heard at], …]
INSERT OR REPLACE INTO cqrs_checkpoints (
    name, version, slot, position, token, commits, events, owner, until, error, heard_at
)
SELECT
    ?1, ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
    value ->> 8
FROM json_each(?3)

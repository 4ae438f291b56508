-- ?1 projection, ?2 token, ?3 position
UPDATE cqrs_projections
SET
    -- Who gives the lease back may not know of its last commit.
    position = max(position, ?3),
    owner = NULL,
    until = NULL,
    updated_at = CAST(round(unixepoch('subsec') * 1000) AS INTEGER)
WHERE name = ?1 AND token = ?2 AND owner IS NOT NULL

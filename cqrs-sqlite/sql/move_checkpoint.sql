-- Prolongs a lease and moves its checkpoint; changes no row when the lease belongs to another by now.
--
-- ?1 projection, ?2 token, ?3 position, ?4 from now on for so many milliseconds
UPDATE cqrs_projections
SET
    position = max(position, ?3),
    until = CAST(round(unixepoch('subsec') * 1000) AS INTEGER) + ?4,
    updated_at = CAST(round(unixepoch('subsec') * 1000) AS INTEGER)
WHERE name = ?1 AND token = ?2 AND owner IS NOT NULL

-- What a checkpoint belongs to, and who has its lease now, if anyone.
--
-- ?1 projection
SELECT
    version,
    events,
    CASE WHEN until > CAST(round(unixepoch('subsec') * 1000) AS INTEGER) THEN owner END AS owner
FROM cqrs_projections
WHERE name = ?1

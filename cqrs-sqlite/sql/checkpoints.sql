SELECT
    name,
    version,
    position,
    CASE WHEN until > CAST(round(unixepoch('subsec') * 1000) AS INTEGER) THEN owner END AS owner
FROM cqrs_projections
ORDER BY name

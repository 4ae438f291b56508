-- The checkpoints of all projections, and who moves them now.
SELECT name, version, position, CASE WHEN until > clock_timestamp() THEN owner END AS owner
FROM cqrs.projections
ORDER BY name

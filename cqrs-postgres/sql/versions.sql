-- The versions of a projection.
SELECT version, events, in_service, schema FROM cqrs.projections WHERE name = $1

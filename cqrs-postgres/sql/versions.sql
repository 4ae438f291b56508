-- The versions of a projection.
SELECT version, events, in_service, schema, current_schema() AS current_schema FROM cqrs.projections WHERE name = $1

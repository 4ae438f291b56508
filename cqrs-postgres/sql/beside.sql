-- The schema with the tables of a version that is beside.
SELECT schema_beside FROM cqrs.projections WHERE name = $1 AND version = $2 AND NOT in_service AND tables <> '{}'

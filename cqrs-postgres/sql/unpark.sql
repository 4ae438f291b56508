-- Takes a stream out of the parked ones of a version.
DELETE FROM cqrs.parked WHERE name = $1 AND version = $2 AND category = $3 AND key = $4

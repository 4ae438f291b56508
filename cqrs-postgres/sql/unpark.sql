-- Takes a stream out of the parked ones of a projection.
DELETE FROM cqrs.parked WHERE projection = $1 AND category = $2 AND key = $3

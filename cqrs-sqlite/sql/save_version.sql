-- ?1 name, ?2 version
-- ?3 history ends here, ?4 number of slots to come, ?5 barrier, ?6 whether it is leaving
UPDATE cqrs_projections
SET replays_to = ?3, rescale_to = ?4, barrier = ?5, leaving = ?6
WHERE name = ?1 AND version = ?2

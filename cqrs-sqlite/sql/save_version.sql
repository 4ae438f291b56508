-- ?1 name, ?2 version
-- ?3 names of events, ?4 history ends here, ?5 number of slots to come, ?6 barrier, ?7 whether it is leaving
UPDATE cqrs_projections
SET events = ?3, replays_to = ?4, rescale_to = ?5, barrier = ?6, leaving = ?7
WHERE name = ?1 AND version = ?2

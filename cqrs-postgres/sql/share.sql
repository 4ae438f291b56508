-- Settles the share of a member.
--
-- $1 projection, $2 version, $3 events, $4 member, $5 its label, $6 for so many milliseconds
-- $7 what keeps it from going on
-- $8 the slots of its leases, $9 their tokens, $10 the commits it knows of, $11 positions
SELECT is_in_service, once_served, slot_count, at_barrier, replays, has_parked, slots, tokens, commit_counts, positions
FROM cqrs.share($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- Settles the share of a member.
--
-- $1 projection, $2 version, $3 member, $4 its label, $5 for so many milliseconds, $6 what keeps it from going on
-- $7 the slots of its leases, $8 their tokens, $9 the commits it knows of, $10 positions
SELECT is_in_service, once_served, slot_count, at_barrier, replays, has_parked, slots, tokens, commit_counts, positions
FROM cqrs.share($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

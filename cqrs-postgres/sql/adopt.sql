-- Has a version go on with more events.
--
-- $1 projection, $2 version, $3 events, $4 events before, $5 none of those that come in addition is stored up to here
SELECT cqrs.adopt($1, $2, $3, $4, $5) AS is_adopted

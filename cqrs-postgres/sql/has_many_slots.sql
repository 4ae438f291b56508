-- Whether the streams of a projection are divided into more than one slot, in any version.
SELECT EXISTS (SELECT FROM cqrs.checkpoints WHERE name = $1 AND slot = 1) AS has_many_slots

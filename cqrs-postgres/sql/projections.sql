-- The versions of all projections, or of the one with this name, with their slots and members.
SELECT name, version, events, in_service, has_served, rescale_to, replays_to,
    (SELECT count(*) FROM cqrs.parked WHERE parked.name = p.name AND parked.version = p.version) AS parked,
    slots, positions, owners, taken, errors, heard, members, labels
FROM cqrs.projections AS p
CROSS JOIN LATERAL (
    SELECT array_agg(slot ORDER BY slot) AS slots, array_agg(position ORDER BY slot) AS positions,
        array_agg(CASE WHEN until > clock_timestamp() THEN owner END ORDER BY slot) AS owners,
        array_agg(c.events ORDER BY slot) AS taken, array_agg(error ORDER BY slot) AS errors,
        array_agg((extract(epoch FROM clock_timestamp() - heard_at) * 1000000)::bigint ORDER BY slot) AS heard
    FROM cqrs.checkpoints AS c
    WHERE c.name = p.name AND c.version = p.version
) AS checkpoints
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(id ORDER BY id), '{}') AS members, coalesce(array_agg(label ORDER BY id), '{}') AS labels
    FROM cqrs.members AS m
    WHERE m.name = p.name AND m.version = p.version AND until > clock_timestamp()
) AS members
WHERE $1::text IS NULL OR name = $1
ORDER BY name, version

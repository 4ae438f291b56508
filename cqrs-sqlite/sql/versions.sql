-- The versions of projections in this file, each with its slots and members, as one statement sees them.
--
-- ?1 name, or null for all
SELECT
    name, version, events, replays_to, tables, rescale_to, barrier, leaving, has_served,
    (
        SELECT json_group_array(
            json_array(slot, position, token, commits, events, owner, until, error, heard_at) ORDER BY slot
        )
        FROM cqrs_checkpoints AS checkpoint
        WHERE checkpoint.name = projection.name AND checkpoint.version = projection.version
    ) AS slots,
    (
        SELECT json_group_array(json_array(id, label, until) ORDER BY id)
        FROM cqrs_members AS member
        WHERE member.name = projection.name AND member.version = projection.version
    ) AS members,
    (
        SELECT count(*)
        FROM cqrs_parked AS parked
        WHERE parked.name = projection.name AND parked.version = projection.version
    ) AS parked
FROM cqrs_projections AS projection
WHERE ?1 IS NULL OR name = ?1
ORDER BY name, version

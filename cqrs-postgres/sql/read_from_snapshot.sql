-- The snapshot of a stream, if there is one of this fingerprint, and the events from its version on; else the events
-- from the first. The snapshot is the row without a position.
WITH kept AS MATERIALIZED (
    SELECT version, event_id, state FROM cqrs.snapshots WHERE category = $1 AND key = $2 AND fingerprint = $3
)
SELECT NULL::bigint AS position, version, event_id, NULL AS event_type, NULL::bigint AS schema_version,
    state AS payload, NULL::uuid AS correlation_id, NULL::uuid AS causation_id, NULL::json AS details,
    NULL::timestamptz AS recorded_at
FROM kept
UNION ALL
(
    SELECT position, version, event_id, event_type, schema_version, payload, correlation_id, causation_id, details,
        recorded_at
    FROM cqrs.events
    WHERE category = $1 AND key = $2 AND version >= coalesce((SELECT version FROM kept), 1)
    ORDER BY version
    LIMIT $4
)

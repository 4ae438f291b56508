-- Keeps a snapshot, unless a later one of the same fingerprint is there.
INSERT INTO cqrs.snapshots AS kept (category, key, version, event_id, fingerprint, state)
VALUES ($1, $2, $3, $4, $5, $6::text::json)
ON CONFLICT (category, key) DO UPDATE
SET version = excluded.version, event_id = excluded.event_id, fingerprint = excluded.fingerprint,
    state = excluded.state, saved_at = clock_timestamp()
WHERE kept.fingerprint <> excluded.fingerprint OR kept.version <= excluded.version

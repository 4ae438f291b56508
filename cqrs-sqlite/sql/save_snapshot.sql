-- ?1 category, ?2 key, ?3 version, ?4 id of the event there, ?5 fingerprint, ?6 state
INSERT INTO cqrs_snapshots (category, key, version, event_id, fingerprint, state)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (category, key) DO UPDATE SET
    version = excluded.version,
    event_id = excluded.event_id,
    fingerprint = excluded.fingerprint,
    state = excluded.state
-- A slower writer does not put an older state over a newer one.
WHERE cqrs_snapshots.fingerprint <> excluded.fingerprint OR cqrs_snapshots.version <= excluded.version

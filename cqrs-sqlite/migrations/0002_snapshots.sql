-- The latest snapshot of each stream. Only a cache: deleting rows, or all of them, costs time and no data.
CREATE TABLE cqrs_snapshots (
    category    TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    -- The version of the stream whose state this is, and the id of the event there.
    version     INTEGER NOT NULL,
    event_id    TEXT    NOT NULL,
    -- The shape of the aggregate that was serialized: 64 bits, shown as a signed number.
    fingerprint INTEGER NOT NULL,
    -- JSON text.
    state       TEXT    NOT NULL,
    PRIMARY KEY (category, key)
) STRICT;

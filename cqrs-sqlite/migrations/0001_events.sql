-- The log of events: one row an event, never changed and never deleted by the framework.
--
-- It is made to be read: ids and payloads are text, so that the `sqlite3` shell shows them and the JSON functions of
-- SQLite query them. An id as text takes 20 bytes more than as a blob; that buys comparing it with ids in payloads.
--
--   SELECT position, version, event_type, payload, datetime(recorded_at / 1000, 'unixepoch')
--   FROM cqrs_events WHERE category = 'account' AND key = '42' ORDER BY version;
CREATE TABLE cqrs_events (
    -- Place in the log. AUTOINCREMENT: a position is never given out twice, even if the last rows were deleted, so
    -- that a reader which remembers a position never misses an event.
    position       INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The stream, compared byte by byte.
    category       TEXT    NOT NULL,
    key            TEXT    NOT NULL,
    -- Place in the stream: 1, 2, 3 …
    version        INTEGER NOT NULL CHECK (version > 0),
    -- UUID in lower case with hyphens. Storing an id a second time is refused.
    event_id       TEXT    NOT NULL UNIQUE,
    event_type     TEXT    NOT NULL,
    schema_version INTEGER NOT NULL CHECK (schema_version > 0),
    -- JSON text, byte for byte as the program wrote it.
    payload        TEXT    NOT NULL,
    -- The message that began it all, and the one that led directly here; UUIDs as above.
    correlation_id TEXT    NOT NULL,
    causation_id   TEXT    NOT NULL,
    -- JSON object with `actor`, `tenant` and entries of the application; NULL when there are none.
    details        TEXT,
    -- Milliseconds since 1970-01-01 UTC, by the clock of the machine that wrote.
    recorded_at    INTEGER NOT NULL,
    -- What makes concurrent writers safe: a version of a stream exists once. Also the way a stream is read.
    UNIQUE (category, key, version)
) STRICT;

-- Finds events of some kinds among many others, a kind being an event type and a category: readers who want few of them
-- don't read the rest of the log. Each entry ends with the position, as in every index of SQLite.
CREATE INDEX cqrs_events_kind ON cqrs_events (event_type, category);

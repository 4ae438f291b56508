-- How far each projection has come, and who moves it. A projection writes its rows and its row here in one transaction,
-- so that the two always belong together.
--
--   SELECT name, position, (SELECT max(position) FROM cqrs_events) - position AS behind, owner,
--       datetime(until / 1000, 'unixepoch') AS until, datetime(updated_at / 1000, 'unixepoch') AS updated_at
--   FROM cqrs_projections;
--
-- To build a projection anew, stop it in all processes, delete the rows it made, and delete its row here.
CREATE TABLE cqrs_projections (
    name       TEXT    NOT NULL PRIMARY KEY,
    -- What the rows were made by: the version of the projection, and the event types it wants, sorted and separated by
    -- spaces. A program in which they are others does not go on from here.
    version    INTEGER NOT NULL,
    events     TEXT    NOT NULL,
    -- Everything up to this position of the log is in the rows, except for what waits in `cqrs_parked`.
    position   INTEGER NOT NULL,
    -- Rises with every owner. Who has an older one can't commit any more, however long it slept.
    token      INTEGER NOT NULL,
    -- Who moves the projection, a UUID, and when others may take over: milliseconds since 1970-01-01 UTC, by the clock
    -- of this machine. Both are NULL when the last owner has ended in order.
    owner      TEXT,
    until      INTEGER,
    -- When this row was last changed; time as above.
    updated_at INTEGER NOT NULL,
    CHECK ((owner IS NULL) = (until IS NULL))
) STRICT;

-- Streams whose events wait, because one of them failed. The program that runs the projection replays or discards them;
-- it does not notice when rows are changed here.
CREATE TABLE cqrs_parked (
    projection TEXT    NOT NULL,
    -- The stream.
    category   TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    -- Its event that failed; this one and all later ones of the stream wait.
    version    INTEGER NOT NULL,
    position   INTEGER NOT NULL,
    event_type TEXT    NOT NULL,
    -- How many times it was tried, and how it failed the last time.
    attempts   INTEGER NOT NULL,
    error      TEXT    NOT NULL,
    -- Since when the stream has been waiting; time as above.
    parked_at  INTEGER NOT NULL,
    PRIMARY KEY (projection, category, key)
) STRICT;

-- A projection that is built anew takes all events from the first one on. If a stream still waited at a later event,
-- those before it would be left out.
CREATE TRIGGER cqrs_projections_deleted AFTER DELETE ON cqrs_projections BEGIN
    DELETE FROM cqrs_parked WHERE projection = old.name;
END;

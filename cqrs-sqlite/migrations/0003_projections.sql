-- The projections whose rows are in this file. A projection writes its rows and its checkpoints in one transaction, so
-- that the two always belong together.
--
--   SELECT name, version, slot, position, events, owner, datetime(until / 1000, 'unixepoch') AS until, error
--   FROM cqrs_checkpoints;
--
-- The version of a projection that queries see is in the file of the application. Each other version is in a file of
-- its own beside it, which `cqrs_beside` names, with these same tables. Changing rows here by hand is no way to build a
-- projection anew: `Projections::reset` empties its tables, and a new version is built beside the old one.
CREATE TABLE cqrs_projections (
    name       TEXT    NOT NULL,
    -- What the rows were made by: the version of the projection, and the names of the events it wants, sorted and
    -- separated by spaces. A program in which they are others does not go on from here, unless it adopts the version:
    -- its names are more, and nothing is stored under those before a checkpoint.
    version    INTEGER NOT NULL,
    events     TEXT    NOT NULL,
    -- Events up to this position were stored before the version was made: it takes them as history.
    replays_to INTEGER NOT NULL,
    -- The tables that were made for it: a JSON array of names; empty where the application makes them.
    tables     TEXT    NOT NULL,
    -- While its streams are divided anew: into how many slots, and the position that all checkpoints come to before.
    rescale_to INTEGER,
    barrier    INTEGER,
    -- 1 while its rows are on the way to another file: nobody gets a lease here.
    leaving    INTEGER NOT NULL DEFAULT 0,
    -- 1 if it was in service, in a file beside: it was replaced or rolled back.
    has_served INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (name, version),
    CHECK ((rescale_to IS NULL) = (barrier IS NULL))
) STRICT, WITHOUT ROWID;

-- The streams of a projection are divided into slots, by a hash. Each has a checkpoint and an owner of its own.
CREATE TABLE cqrs_checkpoints (
    name     TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    slot     INTEGER NOT NULL,
    -- Everything up to this position of the log is in the rows, except for what waits in `cqrs_parked`.
    position INTEGER NOT NULL,
    -- Rises with every change of owner. Who has an older one can't commit any more, however long it slept.
    token    INTEGER NOT NULL,
    -- How many transactions have moved the checkpoint, and how many events were taken in them.
    commits  INTEGER NOT NULL,
    events   INTEGER NOT NULL,
    -- Who moves it, a UUID, and when others may take over: milliseconds since 1970-01-01 UTC, by the clock of this
    -- machine. There is no owner when the last one has ended in order.
    owner    TEXT,
    until    INTEGER NOT NULL,
    -- What keeps it from going on, as its owner has told, or the last one it had.
    error    TEXT,
    -- When its owner has told last that it is there; time as above.
    heard_at INTEGER NOT NULL,
    PRIMARY KEY (name, version, slot)
) STRICT, WITHOUT ROWID;

-- The workers that share the slots of a projection, or stand by.
CREATE TABLE cqrs_members (
    name    TEXT    NOT NULL,
    version INTEGER NOT NULL,
    -- A UUID, and what people know it by.
    id      TEXT    NOT NULL,
    label   TEXT    NOT NULL,
    -- It counts until then; time as above.
    until   INTEGER NOT NULL,
    PRIMARY KEY (name, version, id)
) STRICT, WITHOUT ROWID;

-- Streams whose events wait, because one of them failed.
CREATE TABLE cqrs_parked (
    name          TEXT    NOT NULL,
    version       INTEGER NOT NULL,
    -- The stream.
    category      TEXT    NOT NULL,
    key           TEXT    NOT NULL,
    -- Its event that failed; this one and all later ones of the stream wait.
    event_version INTEGER NOT NULL,
    position      INTEGER NOT NULL,
    event_type    TEXT    NOT NULL,
    -- How many times it was tried, and how it failed the last time.
    attempts      INTEGER NOT NULL,
    error         TEXT    NOT NULL,
    -- Since when the stream has been waiting: microseconds since 1970-01-01 UTC.
    since         INTEGER NOT NULL,
    -- What somebody asks for: the owner of its slot does it soon.
    request       TEXT CHECK (request IN ('replay', 'discard')),
    PRIMARY KEY (name, version, category, key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER cqrs_projections_deleted AFTER DELETE ON cqrs_projections BEGIN
    DELETE FROM cqrs_checkpoints WHERE name = old.name AND version = old.version;
    DELETE FROM cqrs_members WHERE name = old.name AND version = old.version;
    DELETE FROM cqrs_parked WHERE name = old.name AND version = old.version;
END;

-- The files beside this one.
CREATE TABLE cqrs_beside (
    -- AUTOINCREMENT: a file name is never given out twice, so that whoever still has an old file open can't take it for
    -- a new one.
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    name    TEXT    NOT NULL,
    version INTEGER NOT NULL,
    -- What is appended to the name of this file, behind a hyphen.
    file    TEXT    NOT NULL UNIQUE,
    -- 1 before the version is in the file, and after it has left: the file may be deleted, and will be.
    gone    INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX cqrs_beside_version ON cqrs_beside (name, version) WHERE gone = 0;

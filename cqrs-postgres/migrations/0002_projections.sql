-- How far each projection has come, and who moves it. A projection writes its rows and its row here in one transaction,
-- so that the two always belong together.
--
--   SELECT name, position, (SELECT max(position) FROM cqrs.events) - position AS behind, owner, until, updated_at
--   FROM cqrs.projections;
--
-- To build a projection anew, stop it in all processes, delete the rows it made, and delete its row here.
--
-- A role that only runs projections needs, beside what the first migration lists,
--   GRANT SELECT, INSERT, UPDATE ON cqrs.projections TO the_role;
--   GRANT SELECT, INSERT, UPDATE, DELETE ON cqrs.parked TO the_role;
CREATE TABLE cqrs.projections (
    name text COLLATE "C" NOT NULL,
    -- What the rows were made by: the version of the projection, and the event types it wants, sorted and separated by
    -- spaces. A program in which they are others does not go on from here.
    version bigint NOT NULL,
    events text COLLATE "C" NOT NULL,
    -- Everything up to this position of the log is in the rows, except for what waits in `cqrs.parked`.
    position bigint NOT NULL,
    -- Rises with every owner. Who has an older one can't commit any more, however long it slept.
    token bigint NOT NULL,
    -- Rises with every change under a token. An owner that knows of more has lost commits to a crash of the server.
    commits bigint NOT NULL,
    -- Who moves the projection, and when others may take over, by the clock of the server. Both are null when the last
    -- owner has ended in order.
    owner uuid,
    until timestamptz,
    updated_at timestamptz NOT NULL,
    CONSTRAINT projections_pkey PRIMARY KEY (name),
    CONSTRAINT projections_owner_check CHECK ((owner IS NULL) = (until IS NULL))
-- A row changes with every batch of events: room beside it keeps the index out of that.
) WITH (fillfactor = 50);

-- Streams whose events wait, because one of them failed. The program that runs the projection replays or discards them;
-- it does not notice when rows are changed here.
CREATE TABLE cqrs.parked (
    projection text COLLATE "C" NOT NULL,
    -- The stream.
    category text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    -- Its event that failed; this one and all later ones of the stream wait.
    version bigint NOT NULL,
    position bigint NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    -- How many times it was tried, and how it failed the last time.
    attempts bigint NOT NULL,
    error text NOT NULL,
    -- Since when the stream has been waiting.
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT parked_pkey PRIMARY KEY (projection, category, key),
    -- A projection that is built anew takes all events from the first one on. If a stream still waited at a later event,
    -- those before it would be left out. Checked at the commit, when it is known whether the lease still holds.
    CONSTRAINT parked_projection_fkey FOREIGN KEY (projection) REFERENCES cqrs.projections (name)
        ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
);

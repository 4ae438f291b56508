-- Projections: how far each has come, who moves it, and what waits. A projection writes its rows and its checkpoints in
-- one transaction, so that the two always belong together.
--
-- How far behind everything is, and who does it:
--   SELECT c.name, c.version, in_service, slot, position, (SELECT max(position) FROM cqrs.events) - position AS behind,
--       label AS owner, now() - heard_at AS silent_for, error
--   FROM cqrs.checkpoints AS c JOIN cqrs.projections USING (name, version)
--   LEFT JOIN cqrs.members AS m ON m.name = c.name AND m.version = c.version AND id = owner AND c.until > now()
--   ORDER BY name, version, slot;
--
-- A role that only runs projections whose tables the application makes needs, beside what the first migration lists,
--   GRANT SELECT, INSERT, UPDATE, DELETE ON cqrs.projections, cqrs.checkpoints, cqrs.members, cqrs.parked TO the_role;
-- and for views, and projections that make their tables, also
--   GRANT CREATE ON DATABASE the_database TO the_role;
--   GRANT CREATE ON SCHEMA the_schema_of_the_application TO the_role;
-- Those who only look need SELECT.

-- The versions of each projection. One is in service: its tables are in the schema of the application, where queries
-- find them. The tables of each other version are in a schema of their own: it is being built, or was in service before
-- and is kept to be put back.
CREATE TABLE cqrs.projections (
    name text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    -- The names of the events it is made from, sorted and separated by spaces.
    events text COLLATE "C" NOT NULL,
    in_service boolean NOT NULL,
    -- Whether it is or was in service; one that was, and is not, was replaced or rolled back.
    has_served boolean NOT NULL,
    -- The tables it made and may move, empty and drop; none where the application makes them.
    tables text[] COLLATE "C" NOT NULL,
    -- The schema they are in while it is in service, and the one while it is not.
    schema text COLLATE "C" NOT NULL,
    schema_beside text COLLATE "C" NOT NULL,
    -- Into how many slots its streams are being divided anew, if they are, and the position all checkpoints come to
    -- before.
    rescale_to bigint,
    barrier bigint,
    -- Events up to here were stored before it was made, or emptied.
    replays_to bigint NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT projections_pkey PRIMARY KEY (name, version),
    CONSTRAINT projections_version_check CHECK (version >= 0),
    CONSTRAINT projections_barrier_check CHECK ((rescale_to IS NULL) = (barrier IS NULL))
);

CREATE UNIQUE INDEX projections_in_service_key ON cqrs.projections (name) WHERE in_service;

-- The slots of each version. The streams of a slot share a checkpoint: everything up to it is in the rows, except for
-- what waits in `cqrs.parked`.
CREATE TABLE cqrs.checkpoints (
    name text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    slot bigint NOT NULL,
    position bigint NOT NULL,
    -- Rises with every owner, and when all leases are made void. Who has an older one can't commit any more, however
    -- long it slept.
    token bigint NOT NULL,
    -- Rises with every commit. An owner that knows of more has lost commits to a crash of the server.
    commits bigint NOT NULL,
    -- How many events were taken.
    events bigint NOT NULL,
    -- Who moves it, a member, and when others may take over, by the clock of the server. Both are null while nobody
    -- does.
    owner uuid,
    until timestamptz,
    -- What keeps the owner from going on; where nobody moves it, what kept the last owner from it.
    error text,
    -- When an owner has last shown that it is there.
    heard_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT checkpoints_pkey PRIMARY KEY (name, version, slot),
    CONSTRAINT checkpoints_projection_fkey FOREIGN KEY (name, version) REFERENCES cqrs.projections ON DELETE CASCADE,
    CONSTRAINT checkpoints_owner_check CHECK ((owner IS NULL) = (until IS NULL))
-- A row changes with every batch of events: room beside it keeps the index out of that.
) WITH (fillfactor = 50);

-- The workers that share the slots of a version or stand by.
CREATE TABLE cqrs.members (
    name text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    id uuid NOT NULL,
    -- What people know it by: a host and a process, say.
    label text NOT NULL,
    -- When it counts as gone, unless it shows that it is there.
    until timestamptz NOT NULL,
    CONSTRAINT members_pkey PRIMARY KEY (name, version, id),
    CONSTRAINT members_projection_fkey FOREIGN KEY (name, version) REFERENCES cqrs.projections ON DELETE CASCADE
) WITH (fillfactor = 50);

-- Streams whose events wait, because one of them failed. To have the events of a stream taken again, or to give up the
-- one that failed and have those behind it taken, ask the worker that has its slot:
--   UPDATE cqrs.parked SET request = 'replay' WHERE name = 'balances' AND category = 'account' AND key = '42';
-- or 'discard'. It looks every few seconds. Where that succeeds, the row is gone; where an event fails again, the
-- request is.
CREATE TABLE cqrs.parked (
    name text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    -- The stream.
    category text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    -- Its event that failed; this one and all later ones of the stream wait.
    stream_version bigint NOT NULL,
    position bigint NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    -- How many times it was tried, and how it failed the last time.
    attempts bigint NOT NULL,
    error text NOT NULL,
    -- Since when the stream has been waiting.
    since timestamptz NOT NULL,
    request text,
    CONSTRAINT parked_pkey PRIMARY KEY (name, version, category, key),
    CONSTRAINT parked_request_check CHECK (request IN ('replay', 'discard')),
    -- Checked at the commit, when it is known whether the lease still holds.
    CONSTRAINT parked_projection_fkey FOREIGN KEY (name, version) REFERENCES cqrs.projections ON DELETE CASCADE
        DEFERRABLE INITIALLY DEFERRED
);

-- Who waits for whom. What changes a version as a whole locks its row in `projections`, then its tables, then its
-- checkpoints by slot. The transaction of a batch has locks in the tables, and locks its checkpoints by slot at its
-- very end. So nobody waits in a circle; and what needs no tables, above all `share`, never waits for a batch.
--
-- Rows in `projections` are locked FOR NO KEY UPDATE, which leaves the check of foreign keys alone.

-- The next token. A crash of the server, or a failover to a replica that is behind, may undo that a token was given:
-- what is given next is none of those, as time has passed.
CREATE FUNCTION cqrs.token_after(token bigint) RETURNS bigint
LANGUAGE sql VOLATILE AS $$
    SELECT greatest(token + 1, (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint)
$$;

-- Makes all leases of these versions void.
CREATE FUNCTION cqrs.void_leases(of_name text, of_versions bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM cqrs.checkpoints
    WHERE name = of_name AND version = ANY (of_versions)
    ORDER BY version, slot
    FOR NO KEY UPDATE;
    UPDATE cqrs.checkpoints
    SET token = cqrs.token_after(token), owner = NULL, until = NULL, error = NULL
    WHERE name = of_name AND version = ANY (of_versions);
END
$$;

-- Has a version go on with more events than it was made from: see `ReadModel::adopt`.
CREATE FUNCTION cqrs.adopt(of_name text, of_version bigint, events_now text, events_before text, through bigint)
RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM cqrs.projections
    WHERE name = of_name AND version = of_version AND events = events_before
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- Before anybody looks how far they have come: they stay there.
    PERFORM FROM cqrs.checkpoints WHERE name = of_name AND version = of_version ORDER BY slot FOR NO KEY UPDATE;
    IF EXISTS (
        SELECT FROM cqrs.checkpoints WHERE name = of_name AND version = of_version AND position > through
    ) THEN
        RETURN false;
    END IF;
    PERFORM cqrs.void_leases(of_name, array[of_version]);
    -- Who wants the fewer events shares no more.
    DELETE FROM cqrs.members WHERE name = of_name AND version = of_version;
    UPDATE cqrs.projections SET events = events_now WHERE name = of_name AND version = of_version;
    RETURN true;
END
$$;

-- Settles the share of a member: see `ReadModel::share`. Without an answer, there is no such version, or it is made
-- from other events.
CREATE FUNCTION cqrs.share(
    of_name text, of_version bigint, of_events text, member uuid, its_label text, milliseconds bigint, its_error text,
    -- The leases it has, for all it knows.
    held_slots bigint[], held_tokens bigint[], held_commits bigint[], held_positions bigint[]
) RETURNS TABLE (
    is_in_service boolean, once_served boolean, slot_count bigint, at_barrier bigint, replays bigint, has_parked boolean,
    slots bigint[], tokens bigint[], commit_counts bigint[], positions bigint[]
)
LANGUAGE plpgsql AS $$
DECLARE
    this cqrs.projections;
    moment timestamptz;
    ends timestamptz;
    most bigint;
    new_token bigint;
    taken bigint;
BEGIN
    -- One after the other.
    SELECT * INTO this FROM cqrs.projections
    WHERE name = of_name AND version = of_version AND events = of_events
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    moment := clock_timestamp();
    ends := moment + milliseconds * interval '1 millisecond';

    DELETE FROM cqrs.members WHERE name = of_name AND version = of_version AND until <= moment AND id <> member;
    INSERT INTO cqrs.members (name, version, id, label, until) VALUES (of_name, of_version, member, its_label, ends)
    ON CONFLICT (name, version, id) DO UPDATE SET label = excluded.label, until = excluded.until;

    -- Those that may change.
    PERFORM FROM cqrs.checkpoints
    WHERE name = of_name AND version = of_version
        AND (owner IS NULL OR owner = member OR until <= moment OR this.rescale_to IS NOT NULL)
    ORDER BY slot
    FOR NO KEY UPDATE;

    -- What it does not know that it has, and where it is ahead of its rows, as a crash has undone commits.
    UPDATE cqrs.checkpoints AS c
    SET owner = NULL, until = NULL, error = NULL
    WHERE name = of_name AND version = of_version AND owner = member
        AND NOT EXISTS (
            SELECT FROM unnest(held_slots, held_tokens, held_commits) AS held (slot, token, commits)
            WHERE held.slot = c.slot AND held.token = c.token AND held.commits <= c.commits
        );
    UPDATE cqrs.checkpoints AS c
    SET until = ends, heard_at = moment, error = its_error, position = greatest(c.position, held.position)
    FROM unnest(held_slots, held_positions) AS held (slot, position)
    WHERE name = of_name AND version = of_version AND owner = member AND c.slot = held.slot;

    IF this.rescale_to IS NOT NULL AND NOT EXISTS (
        SELECT FROM cqrs.checkpoints WHERE name = of_name AND version = of_version AND position < this.barrier
    ) THEN
        -- Beyond every token that was given, so that no lease from before holds for one of the new slots.
        SELECT cqrs.token_after(max(token)), sum(events) INTO new_token, taken
        FROM cqrs.checkpoints WHERE name = of_name AND version = of_version;
        DELETE FROM cqrs.checkpoints WHERE name = of_name AND version = of_version;
        INSERT INTO cqrs.checkpoints (name, version, slot, position, token, commits, events)
        SELECT of_name, of_version, slot, this.barrier, new_token, 0, CASE slot WHEN 0 THEN taken ELSE 0 END
        FROM generate_series(0, this.rescale_to - 1) AS slot;
        UPDATE cqrs.projections SET rescale_to = NULL, barrier = NULL WHERE name = of_name AND version = of_version;
        this.barrier := NULL;
    END IF;

    -- No more than its part; where there are fewer members than before, or leases ran out, as many as that.
    SELECT count(*) INTO slot_count FROM cqrs.checkpoints WHERE name = of_name AND version = of_version;
    SELECT (slot_count + count(*) - 1) / count(*) INTO most
    FROM cqrs.members WHERE name = of_name AND version = of_version;
    UPDATE cqrs.checkpoints AS c
    SET owner = NULL, until = NULL, error = NULL
    WHERE name = of_name AND version = of_version AND slot IN (
        SELECT slot FROM cqrs.checkpoints WHERE name = of_name AND version = of_version AND owner = member
        ORDER BY slot OFFSET most
    );
    UPDATE cqrs.checkpoints AS c
    SET token = cqrs.token_after(c.token), owner = member, until = ends, heard_at = moment, error = its_error
    WHERE name = of_name AND version = of_version AND slot IN (
        SELECT slot FROM cqrs.checkpoints
        WHERE name = of_name AND version = of_version AND (owner IS NULL OR until <= moment)
        ORDER BY slot
        LIMIT most - (
            SELECT count(*) FROM cqrs.checkpoints WHERE name = of_name AND version = of_version AND owner = member
        )
    );

    is_in_service := this.in_service;
    once_served := this.has_served;
    at_barrier := this.barrier;
    replays := this.replays_to;
    has_parked := EXISTS (SELECT FROM cqrs.parked WHERE name = of_name AND version = of_version);
    SELECT array_agg(slot ORDER BY slot), array_agg(token ORDER BY slot), array_agg(commits ORDER BY slot),
        array_agg(position ORDER BY slot)
    INTO slots, tokens, commit_counts, positions
    FROM cqrs.checkpoints WHERE name = of_name AND version = of_version AND owner = member;
    RETURN NEXT;
END
$$;

-- Has the streams of a version divided into another number of slots: see `Maintain::rescale`.
CREATE FUNCTION cqrs.rescale(of_name text, of_version bigint, slots bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM cqrs.projections WHERE name = of_name AND version = of_version FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- Before anybody looks how far they have come: they stay there.
    PERFORM cqrs.void_leases(of_name, array[of_version]);
    UPDATE cqrs.projections
    SET rescale_to = slots,
        barrier = (SELECT max(position) FROM cqrs.checkpoints WHERE name = of_name AND version = of_version)
    WHERE name = of_name AND version = of_version;
    RETURN true;
END
$$;

-- The tables of a version, with the schema they are in, as a list for a statement.
CREATE FUNCTION cqrs.tables_of(version cqrs.projections) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT string_agg(
        format('%I.%I', CASE WHEN version.in_service THEN version.schema ELSE version.schema_beside END, made), ', ')
    FROM unnest(version.tables) AS made
$$;

-- Moves the tables of a version to the other one of its two schemas.
CREATE FUNCTION cqrs.move_tables(version cqrs.projections) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    here text := CASE WHEN version.in_service THEN version.schema ELSE version.schema_beside END;
    there text := CASE WHEN version.in_service THEN version.schema_beside ELSE version.schema END;
    made text;
BEGIN
    FOREACH made IN ARRAY version.tables LOOP
        EXECUTE format('ALTER TABLE %I.%I SET SCHEMA %I', here, made, there);
    END LOOP;
END
$$;

-- Drops a schema that versions were in, unless somebody keeps something else there.
CREATE FUNCTION cqrs.drop_schema(schema_beside text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP SCHEMA %I', schema_beside);
EXCEPTION WHEN dependent_objects_still_exist THEN
    RAISE NOTICE 'schema % is not empty', schema_beside;
END
$$;

-- Puts a version into service, and the one that is beside: see `Maintain::put_in_service`. Nobody waits for it for more
-- than about a second: where its tables are in use for longer, it gives up.
CREATE FUNCTION cqrs.put_in_service(
    of_name text, of_version bigint, only_caught_up boolean,
    OUT outcome text, OUT seen bigint, OUT furthest bigint
)
LANGUAGE plpgsql AS $$
DECLARE
    served cqrs.projections;
    successor cqrs.projections;
BEGIN
    PERFORM set_config('lock_timeout', '1s', true);
    PERFORM FROM cqrs.projections WHERE name = of_name ORDER BY version FOR NO KEY UPDATE;
    SELECT * INTO served FROM cqrs.projections WHERE name = of_name AND in_service;
    SELECT * INTO successor FROM cqrs.projections WHERE name = of_name AND version = of_version AND NOT in_service;
    IF served.version = of_version THEN
        outcome := 'in service';
        RETURN;
    END IF;
    IF served.name IS NULL OR successor.name IS NULL THEN
        outcome := 'missing';
        RETURN;
    END IF;
    IF cardinality(served.tables) = 0 OR cardinality(successor.tables) = 0 THEN
        outcome := 'without tables';
        RETURN;
    END IF;
    -- First without locks in the tables, which would stop queries, and then for certain.
    FOR attempt IN 1 .. 2 LOOP
        SELECT min(position) FILTER (WHERE version = of_version), max(position) FILTER (WHERE version = served.version)
        INTO seen, furthest FROM cqrs.checkpoints WHERE name = of_name;
        IF only_caught_up AND seen < furthest THEN
            outcome := 'behind';
            RETURN;
        END IF;
        IF attempt = 1 THEN
            EXECUTE format('LOCK TABLE %s, %s', cqrs.tables_of(served), cqrs.tables_of(successor));
            PERFORM FROM cqrs.checkpoints
            WHERE name = of_name AND version IN (served.version, of_version)
            ORDER BY version, slot
            FOR NO KEY UPDATE;
        END IF;
    END LOOP;
    PERFORM cqrs.void_leases(of_name, array[served.version, of_version]);
    IF to_regnamespace(quote_ident(served.schema_beside)) IS NULL THEN
        EXECUTE format('CREATE SCHEMA %I', served.schema_beside);
    END IF;
    PERFORM cqrs.move_tables(served);
    PERFORM cqrs.move_tables(successor);
    PERFORM cqrs.drop_schema(successor.schema_beside);
    UPDATE cqrs.projections SET in_service = false WHERE name = of_name AND version = served.version;
    UPDATE cqrs.projections SET in_service = true, has_served = true WHERE name = of_name AND version = of_version;
    outcome := 'done';
END
$$;

-- Empties a version: see `Maintain::reset`.
CREATE FUNCTION cqrs.reset(of_name text, of_version bigint, replays bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    this cqrs.projections;
BEGIN
    PERFORM set_config('lock_timeout', '1s', true);
    SELECT * INTO this FROM cqrs.projections WHERE name = of_name AND version = of_version FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'missing';
    END IF;
    IF cardinality(this.tables) = 0 THEN
        RETURN 'without tables';
    END IF;
    EXECUTE format('TRUNCATE %s RESTART IDENTITY', cqrs.tables_of(this));
    PERFORM cqrs.void_leases(of_name, array[of_version]);
    UPDATE cqrs.checkpoints SET position = 0, events = 0 WHERE name = of_name AND version = of_version;
    DELETE FROM cqrs.parked WHERE name = of_name AND version = of_version;
    UPDATE cqrs.projections SET rescale_to = NULL, barrier = NULL, replays_to = replays
    WHERE name = of_name AND version = of_version;
    RETURN 'done';
END
$$;

-- Removes a version that is beside, with its tables: see `Maintain::remove`.
CREATE FUNCTION cqrs.remove(of_name text, of_version bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    this cqrs.projections;
BEGIN
    PERFORM set_config('lock_timeout', '1s', true);
    SELECT * INTO this FROM cqrs.projections WHERE name = of_name AND version = of_version FOR NO KEY UPDATE;
    IF NOT FOUND OR this.in_service THEN
        RETURN false;
    END IF;
    IF cardinality(this.tables) > 0 THEN
        EXECUTE format('DROP TABLE %s', cqrs.tables_of(this));
        PERFORM cqrs.drop_schema(this.schema_beside);
    END IF;
    PERFORM cqrs.void_leases(of_name, array[of_version]);
    DELETE FROM cqrs.projections WHERE name = of_name AND version = of_version;
    RETURN true;
END
$$;

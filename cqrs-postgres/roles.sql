-- Roles with no more privileges than their work needs. Optional: the store works without them.
--
--   psql --variable=ON_ERROR_STOP=1 --single-transaction --file=roles.sql 'postgres://superuser@host/database'
--
-- It may run before the schema `cqrs` is there, so that the migrator can make it, and runs again after each migration:
-- it gives privileges on what is there. Running it twice does no harm; what it has not given is taken away.
--
-- The roles can't log in. Give them to those who do: `GRANT cqrs_writer TO the_application`. Other names, and the
-- schema of the application, if projections make their tables there, come as variables: `--variable=writer=…`, and so
-- on.
--
--   reader      reads streams, snapshots and the log, and sees how far projections are
--   writer      the same, appends, and keeps snapshots
--   projector   what a reader does, and runs projections; with `application`, also those that make their tables
--   migrator    owns everything in the schema `cqrs`, and makes what is missing of it
--
-- Events are only added: no role but the migrator, who owns the table, may change or delete one, empty the table, or
-- alter it. Whoever appends may not choose position or time of an event either.

\if :{?reader} \else \set reader cqrs_reader \endif
\if :{?writer} \else \set writer cqrs_writer \endif
\if :{?projector} \else \set projector cqrs_projector \endif
\if :{?migrator} \else \set migrator cqrs_migrator \endif

SELECT format('CREATE ROLE %I NOLOGIN', name)
FROM (VALUES (:'reader'), (:'writer'), (:'projector'), (:'migrator')) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

-- The schema, and everything in it, is the migrator's. Sequences and indexes go with their tables.
SELECT format('CREATE SCHEMA cqrs AUTHORIZATION %I', :'migrator')
WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'cqrs')
\gexec
SELECT format('ALTER SCHEMA cqrs OWNER TO %I', :'migrator')
FROM pg_namespace
WHERE nspname = 'cqrs' AND pg_get_userbyid(nspowner) <> :'migrator'
\gexec
SELECT format('ALTER TABLE %s OWNER TO %I', oid::regclass, :'migrator')
FROM pg_class
WHERE relnamespace = 'cqrs'::regnamespace AND relkind = 'r' AND pg_get_userbyid(relowner) <> :'migrator'
\gexec
SELECT format('ALTER FUNCTION %s OWNER TO %I', oid::regprocedure, :'migrator')
FROM pg_proc
WHERE pronamespace = 'cqrs'::regnamespace AND pg_get_userbyid(proowner) <> :'migrator'
\gexec

REVOKE ALL ON SCHEMA cqrs FROM PUBLIC, :"reader", :"writer", :"projector";
REVOKE ALL ON ALL TABLES IN SCHEMA cqrs FROM PUBLIC, :"reader", :"writer", :"projector";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA cqrs FROM PUBLIC, :"reader", :"writer", :"projector";
GRANT USAGE ON SCHEMA cqrs TO :"reader", :"writer", :"projector";

SELECT format('GRANT %s ON cqrs.%I TO %I', privileges, name, role)
FROM (
    -- All three read, and check what they connect to.
    SELECT 'SELECT' AS privileges, name, role
    FROM unnest(array['events', 'events_position_seq', 'snapshots', 'migrations']
            || array['projections', 'checkpoints', 'members', 'parked']) AS name,
        unnest(array[:'reader', :'writer', :'projector']) AS role
    UNION ALL VALUES
        -- Without `position` and `recorded_at`, which are the server's to say.
        ('INSERT (category, key, version, event_type, schema_version, payload, event_id, correlation_id, causation_id, '
            'details)', 'events', :'writer'),
        ('INSERT, UPDATE', 'snapshots', :'writer'),
        ('INSERT, UPDATE, DELETE', 'projections', :'projector'),
        ('INSERT, UPDATE, DELETE', 'checkpoints', :'projector'),
        ('INSERT, UPDATE, DELETE', 'members', :'projector'),
        ('INSERT, UPDATE, DELETE', 'parked', :'projector')
) AS wanted
WHERE to_regclass(format('cqrs.%I', name)) IS NOT NULL
\gexec

-- Projections that make their tables do so in a schema of their own first, and put them in the schema of the
-- application.
\if :{?application}
GRANT CREATE ON DATABASE :"DBNAME" TO :"projector";
GRANT USAGE, CREATE ON SCHEMA :"application" TO :"projector";
\endif

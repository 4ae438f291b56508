-- Notes, until the transaction ends, that so many more rows were loaded.
SELECT set_config(
    'cqrs.loaded', (coalesce(nullif(current_setting('cqrs.loaded', true), ''), '0')::bigint + $1)::text, true
)

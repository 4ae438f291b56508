-- Which migrations ran. The store keeps its own account of them, apart from the application's.
CREATE TABLE cqrs.migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

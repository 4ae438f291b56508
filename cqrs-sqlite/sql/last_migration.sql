SELECT coalesce(max(number), 0) FROM cqrs_migrations

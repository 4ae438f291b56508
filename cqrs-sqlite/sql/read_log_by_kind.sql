-- The same as read_log.sql, by the index over kinds of events, which are an event type and a category: for events that
-- are few among many. The kinds there are come from walking the index from each to the next; of each kind, as many
-- events are looked at as are wanted together.
WITH RECURSIVE every_type (event_type) AS (
    SELECT min(event_type) FROM cqrs_events
    UNION ALL
    SELECT (SELECT min(event_type) FROM cqrs_events WHERE event_type > every_type.event_type)
    FROM every_type
    WHERE event_type IS NOT NULL
), wanted (event_type) AS (
    SELECT DISTINCT value FROM json_each(?5)
    UNION ALL
    SELECT event_type FROM every_type WHERE ?5 IS NULL
), kind (event_type, category) AS (
    SELECT event_type, (SELECT min(category) FROM cqrs_events WHERE event_type = wanted.event_type)
    FROM wanted
    UNION ALL
    SELECT event_type, (
        SELECT min(category) FROM cqrs_events
        WHERE event_type = kind.event_type AND category > kind.category)
    FROM kind
    WHERE category IS NOT NULL
), part (event_type, category, last) AS MATERIALIZED (
    SELECT event_type, category, coalesce((
        SELECT position FROM cqrs_events
        WHERE event_type = kind.event_type AND category = kind.category AND position > ?1 AND position <= ?2
        ORDER BY position
        LIMIT 1 OFFSET ?3 - 1), ?2)
    FROM kind
    WHERE category IS NOT NULL AND (?4 IS NULL OR category IN (SELECT value FROM json_each(?4)))
), found (position) AS MATERIALIZED (
    SELECT event.position
    FROM part CROSS JOIN cqrs_events AS event
    WHERE event.event_type = part.event_type AND event.category = part.category
        AND event.position > ?1 AND event.position <= part.last
    ORDER BY event.position
    LIMIT ?3
)
SELECT
    format(
        '%d %d %d %d %d %d %d %s %s %s ',
        event.position, event.version, event.schema_version, event.recorded_at, octet_length(event.payload), length(event.category),
        (octet_length(event.event_id) + octet_length(event.correlation_id) + octet_length(event.causation_id)) / octet_length(' '),
        event.event_id, event.correlation_id, event.causation_id
    ) || event.event_type AS event,
    CASE WHEN octet_length(event.payload) <= ?6 THEN event.payload END AS payload, event.details,
    event.category || '/' || event.key AS stream
FROM found CROSS JOIN cqrs_events AS event ON event.position = found.position
ORDER BY found.position

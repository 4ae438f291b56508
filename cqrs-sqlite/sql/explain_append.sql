-- Why an append wrote nothing: where the stream stands, and where events of these ids are stored. One row for each
-- stored id, and one row with NULLs when there is none.
--
-- ?1 category, ?2 key
-- ?3 ids: [id, …]
SELECT
    coalesce(
        (SELECT version FROM cqrs_events WHERE category = ?1 AND key = ?2 ORDER BY version DESC LIMIT 1),
        0
    ) AS actual,
    stored.number,
    stored.in_stream,
    stored.version,
    stored.position
FROM (SELECT 1) LEFT JOIN (
    SELECT
        id.key AS number,
        event.category = ?1 AND event.key = ?2 AS in_stream,
        event.version,
        event.position
    FROM json_each(?3) AS id CROSS JOIN cqrs_events AS event ON event.event_id = id.value
) AS stored
ORDER BY stored.number

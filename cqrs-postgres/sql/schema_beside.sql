-- The schema for the tables of a version while it is beside. Versions have different ones: where the name of the
-- projection is too long for that of a schema, its hash stands for it.
SELECT CASE WHEN octet_length(concat('cqrs_', $1::text, '_v', $2::bigint)) <= 63
    THEN concat('cqrs_', $1, '_v', $2)
    ELSE concat('cqrs_', left(encode(sha256(convert_to($1, 'UTF8')), 'hex'), 40), '_v', $2)
END AS schema_beside

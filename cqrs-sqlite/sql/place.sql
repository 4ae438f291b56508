-- Where a version is: in this file, in one beside it, or nowhere.
--
-- ?1 name, ?2 version
SELECT
    EXISTS (SELECT 1 FROM cqrs_projections WHERE name = ?1 AND version = ?2) AS is_here,
    (SELECT file FROM cqrs_beside WHERE name = ?1 AND version = ?2 AND gone = 0) AS file

-- ?1 number
DELETE FROM cqrs_beside WHERE number = ?1 AND gone = 1

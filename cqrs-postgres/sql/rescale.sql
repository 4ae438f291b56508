-- Has the streams of a version divided anew.
SELECT cqrs.rescale($1, $2, $3) AS is_there

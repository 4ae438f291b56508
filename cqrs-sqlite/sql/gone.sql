-- Files that nobody needs any more.
SELECT number, file FROM cqrs_beside WHERE gone = 1

-- Files that are used, or were a moment ago.
SELECT file FROM cqrs_beside

CREATE TABLE counts (account text PRIMARY KEY, count bigint NOT NULL);

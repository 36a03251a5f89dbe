-- How many requests a second an access key may make: 0 is any number, -1 what is configured for all.

ALTER TABLE access_keys ADD COLUMN requests_per_second INTEGER NOT NULL DEFAULT -1;

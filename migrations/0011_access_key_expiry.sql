-- When an access key ends, in unix microseconds; 0 is never.

ALTER TABLE access_keys ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0;

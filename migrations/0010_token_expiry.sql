-- A sweep finds the temporary tokens that have expired without looking at the others.

CREATE INDEX temp_keys_by_expiry ON temp_keys (ttl);

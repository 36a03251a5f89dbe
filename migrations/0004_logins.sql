-- A login is known to all that was given out through it, and ends all of that when it ends.

-- Which login a temporary token is of; empty for users of other issuers.
ALTER TABLE temp_keys ADD COLUMN login TEXT NOT NULL DEFAULT '';

-- Rotation of refresh tokens. All tokens of one login begin alike: that part's hash is the family,
-- by which a token is known that has been replaced. Null while none has been.
ALTER TABLE refresh_tokens ADD COLUMN family_hash BLOB;
ALTER TABLE refresh_tokens ADD COLUMN previous_hash BLOB;
-- When the current token took the place of the previous one; 0 is never.
ALTER TABLE refresh_tokens ADD COLUMN rotated_at INTEGER NOT NULL DEFAULT 0;
-- The current token, sealed: who gives back the previous one soon gets it once more.
ALTER TABLE refresh_tokens ADD COLUMN sealed_token BLOB;
CREATE UNIQUE INDEX refresh_tokens_by_family ON refresh_tokens (family_hash)
  WHERE family_hash IS NOT NULL;

-- Part of what tokens that nobody keeps are sealed for: another one after a restore.
INSERT INTO meta (name, value) VALUES ('epoch', 0);

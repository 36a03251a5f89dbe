-- What the user pool keeps beside its users. Times are unix microseconds; 0 is never.

ALTER TABLE users ADD COLUMN password_set_at INTEGER NOT NULL DEFAULT 0;
-- Tokens from before this moment are no longer good.
ALTER TABLE users ADD COLUMN signed_out_at INTEGER NOT NULL DEFAULT 0;
-- What SRP checks a password against, sealed; empty when there is none.
ALTER TABLE users ADD COLUMN srp_verifier BLOB NOT NULL DEFAULT x'';
UPDATE users SET password_set_at = modified_at;
-- Who signed up and has not confirmed it yet (status 0): swept by age.
CREATE INDEX users_unconfirmed ON users (created_at) WHERE status = 0;

-- One row for each login; origin is what its tokens have in common.
CREATE TABLE refresh_tokens (
  user       TEXT NOT NULL,
  origin     TEXT NOT NULL,
  token_hash BLOB NOT NULL,
  issued_at  INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked    INTEGER NOT NULL,
  PRIMARY KEY (user, origin)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX refresh_tokens_by_hash ON refresh_tokens (token_hash);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);

CREATE TABLE confirmation_codes (
  user       TEXT NOT NULL,
  purpose    INTEGER NOT NULL,
  sealed     BLOB NOT NULL,
  expires_at INTEGER NOT NULL,
  attempts   INTEGER NOT NULL,
  PRIMARY KEY (user, purpose)
) STRICT, WITHOUT ROWID;
CREATE INDEX confirmation_codes_by_expiry ON confirmation_codes (expires_at);

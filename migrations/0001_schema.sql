-- Times are unix microseconds. Every key that belongs to a user is led by the user's id.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is at or below it may have been given out as a sequence number.
INSERT INTO meta (name, value) VALUES ('ceiling', 0);

-- Facts of this instance that are made once: the ids of its user pool and client.
CREATE TABLE instance (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
  user        TEXT NOT NULL,
  sequence    INTEGER NOT NULL,
  id          BLOB NOT NULL,
  accepted_at INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  payload     BLOB NOT NULL,
  PRIMARY KEY (user, sequence)
) STRICT, WITHOUT ROWID;

-- One row for each user who has messages; changed in the transaction that changes those.
-- next_expiry is never later than the earliest expires_at of the user's messages, and may be
-- earlier: an index over users costs an insert far less than one over messages.
CREATE TABLE pending (
  user        TEXT PRIMARY KEY,
  messages    INTEGER NOT NULL,
  bytes       INTEGER NOT NULL,
  next_expiry INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pending_by_expiry ON pending (next_expiry);

CREATE TABLE dead_letters (
  id          BLOB PRIMARY KEY,
  user        TEXT NOT NULL,
  sequence    INTEGER NOT NULL,
  accepted_at INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  died_at     INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  payload     BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX dead_letters_by_user ON dead_letters (user, id);
CREATE INDEX dead_letters_by_death ON dead_letters (died_at, id);

CREATE TABLE dead_letter_totals (
  only     INTEGER PRIMARY KEY CHECK (only = 1),
  messages INTEGER NOT NULL,
  bytes    INTEGER NOT NULL
) STRICT;
INSERT INTO dead_letter_totals (only, messages, bytes) VALUES (1, 0, 0);

CREATE TABLE deduplication (
  user         TEXT NOT NULL,
  caller       TEXT NOT NULL,
  key          TEXT NOT NULL,
  payload_hash BLOB NOT NULL,
  message_id   BLOB NOT NULL,
  sequence     INTEGER NOT NULL,
  status       INTEGER NOT NULL,
  committed_at INTEGER NOT NULL,
  PRIMARY KEY (user, caller, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX deduplication_by_age ON deduplication (committed_at);

CREATE TABLE connections (
  user           TEXT NOT NULL,
  id             TEXT NOT NULL,
  username       TEXT NOT NULL,
  remote_address TEXT NOT NULL,
  user_agent     TEXT NOT NULL,
  connected_at   INTEGER NOT NULL,
  shard          INTEGER NOT NULL,
  PRIMARY KEY (user, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX connections_by_id ON connections (id);

CREATE TABLE users (
  sub             TEXT PRIMARY KEY,
  username        TEXT NOT NULL,
  folded_username TEXT NOT NULL UNIQUE,
  status          INTEGER NOT NULL,
  enabled         INTEGER NOT NULL,
  password_hash   TEXT NOT NULL,
  revision        INTEGER NOT NULL,
  attributes      TEXT NOT NULL,
  created_at      INTEGER NOT NULL,
  modified_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE temp_keys (
  token_hash BLOB PRIMARY KEY,
  user       TEXT NOT NULL,
  ttl        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX temp_keys_by_user ON temp_keys (user, ttl);

CREATE TABLE data_keys (
  id         INTEGER PRIMARY KEY,
  wrapped    BLOB NOT NULL,
  uses       INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  retired    INTEGER NOT NULL
) STRICT;

CREATE TABLE signing_keys (
  id         INTEGER PRIMARY KEY,
  wrapped    BLOB NOT NULL,
  uses       INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  retired    INTEGER NOT NULL
) STRICT;

CREATE TABLE access_keys (
  id            TEXT PRIMARY KEY,
  name          TEXT NOT NULL,
  sealed_secret BLOB NOT NULL,
  enabled       INTEGER NOT NULL,
  created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE policies (
  access_key TEXT PRIMARY KEY,
  document   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What is counted of attempts at passwords and codes, across restarts. Times are unix microseconds.

CREATE TABLE attempts (
  list         INTEGER NOT NULL,
  name         BLOB NOT NULL,  -- hashed
  state        TEXT NOT NULL,
  forgotten_at INTEGER NOT NULL,
  PRIMARY KEY (list, name)
) STRICT, WITHOUT ROWID;

-- Addresses from which a user has logged in.
CREATE TABLE known_addresses (
  user    TEXT NOT NULL,
  address BLOB NOT NULL,  -- hashed
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (user, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX known_addresses_by_age ON known_addresses (seen_at);

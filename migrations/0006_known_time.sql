-- What the instance last believed to be the time: a start far from it believes the clock only once it
-- has held. Times are unix microseconds; 0 is never.
INSERT INTO meta (name, value) SELECT 'known_time', value FROM meta WHERE name = 'ceiling';

-- What users had pending when their access ended, and has not been moved to the dead letters yet.
CREATE TABLE burials (
  user   TEXT PRIMARY KEY,
  up_to  INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

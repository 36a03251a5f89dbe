-- Who did what, for those who look for it afterwards. Ids rise; the oldest go first, by age and by
-- count. Times are unix microseconds.

CREATE TABLE audit (
  id      INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  actor   TEXT NOT NULL,
  action  TEXT NOT NULL,
  target  TEXT NOT NULL,
  outcome INTEGER NOT NULL,
  reason  TEXT NOT NULL,
  address TEXT NOT NULL
) STRICT;

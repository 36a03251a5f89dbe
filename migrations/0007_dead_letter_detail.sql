-- What more there is to say of why a message became a dead letter: how the connections of its user
-- ended at one that is undeliverable.
ALTER TABLE dead_letters ADD COLUMN detail TEXT NOT NULL DEFAULT '';

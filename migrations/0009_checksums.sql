-- What the row's other columns were when it was written; NULL in rows from before this.

ALTER TABLE messages ADD COLUMN checksum INTEGER;
ALTER TABLE dead_letters ADD COLUMN checksum INTEGER;

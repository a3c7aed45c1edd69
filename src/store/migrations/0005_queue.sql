-- Schema 5. The queue: a text may wait for a time, was written ahead at a time, and has a place given by the owner.
ALTER TABLE posts ADD COLUMN not_before REAL;
ALTER TABLE posts ADD COLUMN queued_at REAL;
ALTER TABLE posts ADD COLUMN place REAL;

-- The owner's original table. A database that has it already keeps it, rows and all.
CREATE TABLE IF NOT EXISTS posts (
    id INTEGER PRIMARY KEY,
    content TEXT NOT NULL,
    posted_at TIMESTAMP,
    status TEXT,
    error_message TEXT
);

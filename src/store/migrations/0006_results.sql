-- Schema 6. Results: X's public figures of a post, read once at a fixed age. All empty: X had no such tweet any more.
CREATE TABLE results (
    post_id INTEGER PRIMARY KEY REFERENCES posts(id),
    read_at REAL NOT NULL,
    impressions INTEGER,
    likes INTEGER,
    reposts INTEGER,
    replies INTEGER,
    bookmarks INTEGER,
    quotes INTEGER
);

CREATE TRIGGER a_result_is_read_once BEFORE UPDATE ON results
BEGIN SELECT RAISE(ABORT, 'the result of a post is read once'); END;

CREATE TRIGGER results_are_kept BEFORE DELETE ON results
BEGIN SELECT RAISE(ABORT, 'results of posts are never deleted'); END;

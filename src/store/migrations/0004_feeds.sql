-- Schema 4. Feeds, their items, and what an item is known by. Items are kept for ever: one that comes again is none.
CREATE TABLE feeds (
    address TEXT PRIMARY KEY,
    etag TEXT NOT NULL DEFAULT '',
    last_modified TEXT NOT NULL DEFAULT '',
    read_at REAL,
    next_at REAL,
    failures INTEGER NOT NULL DEFAULT 0,
    answer TEXT,
    detail TEXT NOT NULL DEFAULT '',
    ended INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE feed_items (
    id INTEGER PRIMARY KEY,
    feed TEXT NOT NULL REFERENCES feeds(address),
    title TEXT NOT NULL,
    link TEXT NOT NULL,
    summary TEXT NOT NULL,
    version TEXT NOT NULL,
    project TEXT NOT NULL,
    tags TEXT NOT NULL,
    dated REAL,
    prerelease INTEGER NOT NULL,
    seen_at REAL NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    post_id INTEGER REFERENCES posts(id)
);
CREATE TABLE feed_keys (
    feed TEXT NOT NULL REFERENCES feeds(address),
    key TEXT NOT NULL,
    item INTEGER NOT NULL REFERENCES feed_items(id),
    PRIMARY KEY (feed, key)
) WITHOUT ROWID;
CREATE INDEX feed_items_feed ON feed_items(feed, id);
CREATE UNIQUE INDEX one_item_per_post ON feed_items(post_id) WHERE post_id IS NOT NULL;

CREATE TRIGGER items_are_kept BEFORE DELETE ON feed_items
BEGIN SELECT RAISE(ABORT, 'items of feeds are never deleted'); END;

CREATE TRIGGER keys_are_kept BEFORE DELETE ON feed_keys
BEGIN SELECT RAISE(ABORT, 'what an item is known by is never deleted'); END;

CREATE TRIGGER an_item_has_one_post BEFORE UPDATE OF post_id ON feed_items
WHEN OLD.post_id IS NOT NULL AND NEW.post_id IS NOT OLD.post_id
BEGIN SELECT RAISE(ABORT, 'an item becomes one post'); END;

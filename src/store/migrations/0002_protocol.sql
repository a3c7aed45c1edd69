-- Everything that makes "never twice, never lost" a property of the file, whatever program writes to it.
ALTER TABLE posts ADD COLUMN slot TEXT;
ALTER TABLE posts ADD COLUMN fingerprint TEXT;
ALTER TABLE posts ADD COLUMN tweet_id INTEGER;
ALTER TABLE posts ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE posts ADD COLUMN sent_at REAL;
ALTER TABLE posts ADD COLUMN since_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE posts ADD COLUMN absent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE posts ADD COLUMN absent_at REAL;
ALTER TABLE posts ADD COLUMN duplicate INTEGER NOT NULL DEFAULT 0;
ALTER TABLE posts ADD COLUMN resolved_by TEXT;
ALTER TABLE posts ADD COLUMN origin TEXT;
ALTER TABLE posts ADD COLUMN source_id TEXT;
ALTER TABLE posts ADD COLUMN topic TEXT;
ALTER TABLE posts ADD COLUMN opening TEXT;
ALTER TABLE posts ADD COLUMN created_at REAL;
ALTER TABLE posts ADD COLUMN approved_at REAL;
ALTER TABLE posts ADD COLUMN verified_at REAL;
ALTER TABLE posts ADD COLUMN vanished_at REAL;

-- Rows of the original program: 'success' was on X; a 'pending' one may be, and nobody can tell any more.
UPDATE posts SET origin = 'seed', fingerprint = fingerprint(content);
UPDATE posts SET status = 'posted' WHERE status = 'success';
UPDATE posts SET status = 'unconfirmed' WHERE status IS NULL OR status NOT IN ('posted', 'failed');
UPDATE posts SET sent_at = CAST(strftime('%s', posted_at) AS INTEGER) WHERE status <> 'failed';

CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    post_id INTEGER NOT NULL REFERENCES posts(id),
    kind TEXT NOT NULL DEFAULT 'post',
    slot TEXT,
    run_id TEXT,
    started REAL NOT NULL,
    finished REAL,
    outcome TEXT,
    http_status INTEGER,
    reason TEXT,
    detail TEXT,
    transaction_id TEXT,
    latency_ms INTEGER
);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    command TEXT NOT NULL,
    slot TEXT,
    started REAL NOT NULL,
    finished REAL,
    exit_code INTEGER,
    outcome TEXT,
    message TEXT,
    version TEXT,
    metrics TEXT
);
CREATE TABLE candidates (
    id INTEGER PRIMARY KEY,
    run_id TEXT,
    created_at REAL NOT NULL,
    source_id TEXT NOT NULL,
    opening TEXT NOT NULL,
    score REAL NOT NULL,
    reasons TEXT NOT NULL,
    chosen INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE spending (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    units INTEGER NOT NULL,
    usd REAL NOT NULL
);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE UNIQUE INDEX one_post_per_slot ON posts(slot) WHERE slot IS NOT NULL;
CREATE UNIQUE INDEX one_row_per_tweet ON posts(tweet_id) WHERE tweet_id IS NOT NULL;
CREATE UNIQUE INDEX one_sending ON posts(status) WHERE status = 'sending';
CREATE UNIQUE INDEX one_send_per_text ON posts(fingerprint)
    WHERE origin IN ('model', 'wording', 'person') AND status IN ('pending', 'sending', 'posted', 'unknown', 'unconfirmed');
CREATE INDEX posts_status ON posts(status, id);
CREATE INDEX posts_sent ON posts(sent_at) WHERE sent_at IS NOT NULL;
CREATE INDEX posts_created ON posts(created_at);
CREATE INDEX posts_fingerprint ON posts(fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX posts_source ON posts(source_id, sent_at) WHERE source_id IS NOT NULL AND sent_at IS NOT NULL;
CREATE INDEX attempts_post ON attempts(post_id);
CREATE INDEX attempts_started ON attempts(started);
CREATE INDEX candidates_created ON candidates(created_at);
CREATE INDEX runs_started ON runs(started);
CREATE INDEX spending_at ON spending(at);

CREATE TRIGGER known_status_insert BEFORE INSERT ON posts
WHEN NEW.status IS NULL OR NEW.status NOT IN ('draft', 'approved', 'pending', 'posted')
    OR (NEW.status = 'posted' AND NEW.tweet_id IS NULL)
BEGIN SELECT RAISE(ABORT, 'a post starts as draft, approved or pending, or is imported with its tweet id'); END;

CREATE TRIGGER legal_move BEFORE UPDATE OF status ON posts
WHEN NEW.status IS NOT OLD.status AND (NEW.status IS NULL OR (OLD.status || '>' || NEW.status) NOT IN (
    'draft>approved', 'draft>rejected',
    'approved>pending', 'approved>rejected', 'approved>draft',
    'rejected>draft',
    'pending>sending', 'pending>expired', 'pending>approved', 'pending>posted', 'expired>posted',
    'sending>pending', 'sending>posted', 'sending>failed', 'sending>unknown',
    'unknown>posted', 'unknown>failed', 'unknown>unconfirmed',
    'unconfirmed>posted', 'unconfirmed>failed',
    'failed>posted'))
BEGIN SELECT RAISE(ABORT, 'not a legal move of a post'); END;

CREATE TRIGGER posted_has_tweet_id BEFORE UPDATE ON posts
WHEN (NEW.status = 'posted' AND NEW.tweet_id IS NULL AND NEW.origin IS NOT 'seed')
    OR (NEW.status <> 'posted' AND NEW.tweet_id IS NOT NULL)
BEGIN SELECT RAISE(ABORT, 'posted and a tweet id go together'); END;

CREATE TRIGGER tweet_id_is_final BEFORE UPDATE OF tweet_id ON posts
WHEN OLD.tweet_id IS NOT NULL AND NEW.tweet_id IS NOT OLD.tweet_id
BEGIN SELECT RAISE(ABORT, 'the tweet id of a post never changes'); END;

CREATE TRIGGER content_is_frozen BEFORE UPDATE OF content ON posts
WHEN NEW.content IS NOT OLD.content AND (OLD.slot IS NOT NULL OR OLD.attempts > 0 OR OLD.status NOT IN ('draft', 'approved'))
BEGIN SELECT RAISE(ABORT, 'the text of a claimed post never changes'); END;

CREATE TRIGGER one_send BEFORE UPDATE OF attempts ON posts
WHEN NEW.attempts > OLD.attempts AND EXISTS (
    SELECT 1 FROM attempts WHERE post_id = NEW.id AND kind = 'post'
    AND coalesce(outcome, 'open') NOT IN ('not_sent', 'later', 'blocked'))
BEGIN SELECT RAISE(ABORT, 'a text that may have left is never sent again'); END;

CREATE TRIGGER posts_are_kept BEFORE DELETE ON posts
BEGIN SELECT RAISE(ABORT, 'posts are never deleted'); END;

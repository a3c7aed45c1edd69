-- Schema 3. What X refuses may be on X all the same: only absence, read twice, frees a slot or a text.
DROP TRIGGER legal_move;
DROP TRIGGER one_send;
DROP TRIGGER tweet_id_is_final;

-- Refused before this version, and never proven absent: to be looked for, or never sent again.
UPDATE posts SET status = 'unknown', sent_at = (SELECT max(a.started) FROM attempts a WHERE a.post_id = posts.id)
WHERE status = 'pending' AND EXISTS (
    SELECT 1 FROM attempts a WHERE a.post_id = posts.id AND a.outcome IN ('later', 'blocked'));
UPDATE posts SET status = 'failed' WHERE status = 'expired' AND EXISTS (
    SELECT 1 FROM attempts a WHERE a.post_id = posts.id AND a.outcome IN ('later', 'blocked'));

CREATE TRIGGER legal_move BEFORE UPDATE OF status ON posts
WHEN NEW.status IS NOT OLD.status AND (NEW.status IS NULL OR (OLD.status || '>' || NEW.status) NOT IN (
    'draft>approved', 'draft>rejected',
    'approved>pending', 'approved>rejected', 'approved>draft', 'approved>posted',
    'rejected>draft',
    'pending>sending', 'pending>expired', 'pending>approved', 'pending>posted', 'expired>posted',
    'sending>pending', 'sending>posted', 'sending>unknown',
    'unknown>posted', 'unknown>failed', 'unknown>approved', 'unknown>unconfirmed',
    'unconfirmed>posted', 'unconfirmed>failed',
    'failed>posted',
    'posted>unconfirmed'))
BEGIN SELECT RAISE(ABORT, 'not a legal move of a post'); END;

CREATE TRIGGER one_send BEFORE UPDATE OF attempts ON posts
WHEN NEW.attempts > OLD.attempts AND EXISTS (
    SELECT 1 FROM attempts WHERE post_id = NEW.id AND kind = 'post'
    AND coalesce(outcome, 'open') <> 'not_sent'
    AND NOT (coalesce(outcome, 'open') IN ('later', 'blocked') AND OLD.absent >= 2))
BEGIN SELECT RAISE(ABORT, 'a text that may have left is never sent again'); END;

CREATE TRIGGER slot_is_kept BEFORE UPDATE OF slot ON posts
WHEN OLD.slot IS NOT NULL AND NEW.slot IS NOT OLD.slot
    AND NOT (OLD.status = 'pending' AND NEW.status = 'approved' AND NEW.slot IS NULL)
    AND NOT (OLD.status = 'unknown' AND NEW.status IN ('approved', 'failed') AND NEW.slot IS NULL AND OLD.absent >= 2)
BEGIN SELECT RAISE(ABORT, 'a slot is free only when it is proven that no tweet was made'); END;

CREATE TRIGGER queued_again BEFORE UPDATE OF status ON posts
WHEN OLD.status = 'unknown' AND NEW.status = 'approved' AND OLD.absent < 2
BEGIN SELECT RAISE(ABORT, 'a text waits again only when it is proven that no tweet was made'); END;

CREATE TRIGGER tweet_id_is_final BEFORE UPDATE OF tweet_id ON posts
WHEN OLD.tweet_id IS NOT NULL AND NEW.tweet_id IS NOT OLD.tweet_id
    AND NOT (NEW.tweet_id IS NULL AND NEW.status = 'unconfirmed')
BEGIN SELECT RAISE(ABORT, 'the tweet id of a post never changes'); END;

-- A text comes back after the days that the note repeat_after_days holds (0 or no note: never). `until` is empty
-- where no time frees it. The slot is the time of the claim; its length is the grace (the note slot_minutes, else a day),
-- because a run may claim it until it ends.
DROP INDEX one_send_per_text;

CREATE VIEW texts_taken AS
SELECT id, fingerprint, CASE
    WHEN status = 'posted' AND (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'repeat_after_days') > 0
    THEN sent_at + 86400 * (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'repeat_after_days')
        - 60 * coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'slot_minutes'), 1440)
END AS until
FROM posts WHERE origin IS NOT 'seed' AND status IN ('pending', 'sending', 'unknown', 'unconfirmed', 'posted');

CREATE TRIGGER text_is_not_repeated_insert BEFORE INSERT ON posts
WHEN NEW.status = 'pending' AND EXISTS (
    SELECT 1 FROM texts_taken t WHERE t.fingerprint = NEW.fingerprint
    AND (t.until IS NULL OR NEW.slot IS NULL OR t.until > CAST(strftime('%s', replace(NEW.slot, 'Z', '')) AS INTEGER)))
BEGIN SELECT RAISE(ABORT, 'this text was sent, and may not be sent again yet'); END;

CREATE TRIGGER text_is_not_repeated_update BEFORE UPDATE OF status ON posts
WHEN NEW.status = 'pending' AND OLD.status = 'approved' AND EXISTS (
    SELECT 1 FROM texts_taken t WHERE t.fingerprint = NEW.fingerprint AND t.id <> NEW.id
    AND (t.until IS NULL OR NEW.slot IS NULL OR t.until > CAST(strftime('%s', replace(NEW.slot, 'Z', '')) AS INTEGER)))
BEGIN SELECT RAISE(ABORT, 'this text was sent, and may not be sent again yet'); END;

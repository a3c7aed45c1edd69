"""The history of the account, read page by page: from where, how far, and what a break leaves."""

from datetime import timedelta

import pytest

from src.content.freshness import EVER
from src.domain.answers import Outcome, SendResult, TimelineRead
from src.domain.fixes import NO_FIX, Fix
from src.domain.runs import Exit, Hold, RunOutcome
from src.domain.texts import Origin
from src.posting.history import Position, cold_start, covered_since
from src.posting.reconcile import AUDIT_EVERY
from tests.support.scripted import Scripted, scripted_run, shows, tweet_at
from tests.support.stored import NOW

DAY, HOUR, MINUTE, MS = (timedelta(**{unit: 1}) for unit in ("days", "hours", "minutes", "milliseconds"))
EMPTY = TimelineRead(healthy=True)
AWAY = TimelineRead(result=SendResult(Outcome.UNKNOWN, reason="no answer"))


def reading(kind, *reads, **parts):
    """Return a run on a database of this kind, to which the account shows these pages."""
    run = scripted_run(account=Scripted(reads=reads), **parts)
    run.db.notes.put(cold_start=kind)
    return run


def old(*ages):
    """Return tweets of these ages."""
    return [tweet_at(NOW - age, f"Tweet of {age}.") for age in ages]


def page(*ages, complete=False, **parts):
    return shows(*old(*ages), complete=complete, **parts)


def known(run, *ages):
    run.db.tweets.import_tweets(old(*ages), NOW)


def kept(run, head="import"):
    at = Position.of(run, head)
    return at.until, at.seen, at.tries


def left(run):
    """Return the notes that a history which is read to its end must not leave."""
    names = (*Position.notes("import"), *Position.notes("restore"), "restore_since", "cold_start")
    return [name for name in names if run.db.notes.get(name) is not None]


# ---- when it is read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "preview"), [(None, False), (None, True), ("new", True), ("restored", True)]
)
def test_when_nothing_is_read(kind, preview):
    """A database that knows the account reads nothing, and a dry run never does."""
    run = reading(kind, preview=preview)
    assert cold_start(run) is None
    assert (run.account.ranges, run.db.notes.get("cold_start")) == ([], kind)


@pytest.mark.parametrize("kind", ["new", "replaced", "restored"])
def test_a_history_that_is_read_to_its_end(kind):
    """Each tweet is on record, and nothing is left of the reading: the next run goes straight on."""
    run = reading(kind, page(HOUR, 2 * HOUR), page(3 * HOUR, complete=True))
    assert cold_start(run) is None
    assert run.account.ranges == [(0, 0), (0, old(2 * HOUR)[0].id)]
    assert run.db.tweets.known_tweet_ids(9) == [t.id for t in old(HOUR, 2 * HOUR, 3 * HOUR)]
    assert left(run) == []
    assert cold_start(run) is None
    assert run.metrics["reads"] == 2


# ---- the rest before the first post ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "ours", "rests"),
    [("new", False, False), ("new", True, True), ("replaced", False, True), ("restored", False, True)],
)
def test_where_the_program_has_posted_before(kind, ours, rests):
    """The next post waits there, for the last tweet may not be on the timeline yet. A new account waits not."""
    origin = Origin("s-1", "Git", "") if ours else None
    run = reading(kind, page(HOUR, complete=True), _recognise=lambda tweet: origin)
    assert cold_start(run) is None
    assert (run.db.notes.current_hold() is not None) is rests


@pytest.mark.parametrize(
    ("minutes", "paused", "wait"),
    [(0, False, 53), (7, False, 46), (8, False, 45), (9, False, 45), (0, True, 45)],
)
def test_how_long_it_rests(minutes, paused, wait):
    """To the end of the open slot, at least 45 minutes; then the audit looks once more before the first post."""
    run = reading(
        "replaced", page(HOUR, complete=True), env={"QUIET_HOURS": "14:00-15:00"} if paused else None
    )
    if paused:
        run.db.notes.pause(NOW, None)
        run.timetable = run.db.notes.timetable(run.settings.schedule, NOW)
    run.clock.time += minutes * MINUTE
    now = run.clock.now()
    run.db.notes.put(audited_before="1")
    assert cold_start(run) is None
    until = now + wait * MINUTE
    assert run.db.notes.current_hold() == Hold("wait", "new-database", until, NO_FIX, 1, now)
    assert run.db.notes.get_time("audited_at") == until - AUDIT_EVERY
    assert run.db.notes.get("audited_before") is None


# ---- how far it is read ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("repeat", "cooldown", "days"), [(10, 20, 20), (30, 20, 30), (0, 20, None)])
def test_how_far_back_the_history_matters(repeat, cooldown, days):
    """As far as the cool-down and the window of repeats; where a text never returns, as far as X shows."""
    run = scripted_run({"REPEAT_AFTER_DAYS": str(repeat), "COOLDOWN_DAYS": str(cooldown)})
    assert covered_since(run) == (NOW - days * DAY if days else EVER)


WINDOW = {"REPEAT_AFTER_DAYS": "10", "COOLDOWN_DAYS": "20"}


@pytest.mark.parametrize(("age", "reads"), [(20 * DAY, 2), (20 * DAY + MS, 1)])
def test_it_is_read_as_far_as_it_matters(age, reads):
    """The page that reaches behind the window is the last one."""
    run = reading("new", page(HOUR, age), page(30 * DAY), env=WINDOW)
    assert cold_start(run) is None
    assert len(run.account.ranges) == reads


@pytest.mark.parametrize(("seen", "reads"), [(3198, 2), (3199, 1), (3200, 1)])
def test_it_is_read_as_far_as_x_shows(seen, reads):
    """X shows 3,200 tweets: after that many no more page is asked for."""
    run = reading("new", page(2 * HOUR), page(3 * HOUR, complete=True))
    Position("import", old(HOUR)[0].id, seen, 0).keep(run)
    assert cold_start(run) is None
    assert len(run.account.ranges) == reads


@pytest.mark.parametrize(
    "last", [EMPTY, page(HOUR), page(2 * HOUR), shows(tweet_at(NOW - 90 * MINUTE), complete=False)]
)
def test_a_page_that_leads_no_further(last):
    """An empty page is the end, and so is one that does not go below the page before."""
    run = reading("new", page(HOUR, 2 * HOUR), last)
    assert cold_start(run) is None
    assert len(run.account.ranges) == 2
    assert run.db.tweets.known_tweet_ids(9) == [t.id for t in old(HOUR, 2 * HOUR)]


def test_the_oldest_id_of_all():
    """An id of 1 is an id."""
    odd = TimelineRead(healthy=True, odd=1, oldest_id=1)
    run = reading("new", odd, EMPTY, env={"REPEAT_AFTER_DAYS": "0"})
    assert cold_start(run) is None
    assert run.account.ranges == [(0, 0), (0, 1)]


# ---- what a break leaves ---------------------------------------------------------------------------------------


def test_a_break_keeps_the_position():
    """What was read is kept with its count, odd items too; the next run goes on below it."""
    run = reading("new", page(HOUR, 2 * HOUR, odd=3, more=True), AWAY)
    ended = cold_start(run)
    assert (ended.exit_code, ended.outcome) == (Exit.TEMPORARY, RunOutcome.COLD_START)
    assert ended.message == (
        "the database is new and reads the account's tweets first, 5 so far;"
        " the timeline could not be read: no answer"
    )
    assert ended.fix.render() == "nothing to do: the next run goes on; nothing is posted until then"
    below = old(2 * HOUR)[0].id
    assert kept(run) == (below, 5, 3)
    run.account.reads = [page(3 * HOUR, complete=True)]
    assert cold_start(run) is None
    assert run.account.ranges[-1] == (0, below)


@pytest.mark.parametrize(("kind", "word"), [("new", "new"), ("replaced", "new"), ("restored", "restored")])
@pytest.mark.parametrize(
    ("outcome", "code"), [(Outcome.BLOCKED, Exit.BLOCKED), (Outcome.LATER, Exit.TEMPORARY)]
)
def test_what_a_run_says_that_could_not_read(kind, word, outcome, code):
    """The exit code tells whether a person has to act, and the fix is that of X's answer."""
    answer = SendResult(outcome, reason="why", fix=Fix("do that"))
    run = reading(kind, TimelineRead(result=answer))
    known(run, HOUR)
    ended = cold_start(run)
    assert (ended.exit_code, ended.fix) == (code, Fix("do that"))
    assert ended.message.startswith(f"the database is {word} and reads")
    assert len(run.account.ranges) == 1
    assert run.db.notes.get("cold_start") == kind


@pytest.mark.parametrize(("seconds", "reads"), [(40.0, 2), (39.5, 1), (5.0, 1)])
def test_the_time_of_a_run(seconds, reads):
    """The first page always goes; another one needs forty seconds of the run's time."""
    run = reading("new", page(HOUR), page(2 * HOUR, complete=True), env={"DEADLINE_SECONDS": "480"})
    run.clock.sleep(480 - seconds)
    ended = cold_start(run)
    assert len(run.account.ranges) == reads
    assert (ended is None) is (reads == 2)
    if ended:
        assert ended.message.endswith("1 so far; the time of this run is over")
        assert kept(run)[:2] == (old(HOUR)[0].id, 1)


# ---- an empty page ---------------------------------------------------------------------------------------------


def test_where_x_says_that_there_is_more():
    """X shows none, though it has older tweets: three runs ask again, then that is the end."""
    run = reading("new", page(HOUR, more=True), *[EMPTY] * 4)
    for _ in range(3):
        ended = cold_start(run)
        assert ended.message.endswith(
            "1 so far; the timeline could not be read: X has older tweets and shows none"
        )
    assert kept(run)[2] == 0
    assert cold_start(run) is None
    assert len(run.account.ranges) == 5


@pytest.mark.parametrize(
    ("kind", "seen", "ends"),
    [("new", 0, True), ("replaced", 0, False), ("replaced", 2, True), ("restored", 0, False)],
)
def test_an_account_that_shows_nothing(kind, seen, ends):
    """A new account may be empty. Where the program has posted before, and nothing was shown yet, it is not."""
    run = reading(kind, EMPTY)
    if seen:
        Position("import", old(HOUR)[0].id, seen, 0).keep(run)
    ended = cold_start(run)
    assert (ended is None) is ends
    if ended:
        assert ended.message.endswith(
            "0 so far; the timeline could not be read: it is empty, although this account has posted before"
        )


# ---- after a restore -------------------------------------------------------------------------------------------


def test_what_was_tweeted_since_the_backup():
    """It is read from below the fifth newest tweet of the backup, however old the page is; each takes its slot."""
    run = reading("restored", page(HOUR, 30 * DAY), page(41 * DAY, complete=True), env=WINDOW)
    known(run, *(n * DAY for n in range(40, 47)))
    assert cold_start(run) is None
    since = old(44 * DAY)[0].id - 1
    assert run.account.ranges == [(since, 0), (since, old(30 * DAY)[0].id)]
    assert run.db.archive.holds_slot("2026-11-22T13:00Z")
    assert run.db.archive.usage("", NOW).spent_24h == pytest.approx(run.settings.price_post_usd)


def test_a_backup_of_an_account_that_had_no_tweet():
    """Everything is read then."""
    run = reading("restored", page(HOUR, complete=True))
    assert cold_start(run) is None
    assert run.account.ranges == [(0, 0)]


def test_a_restore_goes_on_where_it_stopped():
    """The start of the read is that of the first run, though newer tweets are on record since."""
    run = reading("restored", page(HOUR), AWAY)
    known(run, 2 * DAY)
    since = old(2 * DAY)[0].id - 1
    assert cold_start(run).message.startswith(
        "the database is restored and reads the account's tweets first, 1 so far"
    )
    run.account.reads = [page(2 * HOUR, complete=True)]
    assert cold_start(run) is None
    assert run.account.ranges == [(since, 0), (since, old(HOUR)[0].id), (since, old(HOUR)[0].id)]
    assert left(run) == []


def test_a_backup_whose_tweets_are_all_deleted():
    """None of the five is shown, nor anything newer: all that matters is read, also after a break."""
    run = reading("restored", EMPTY, page(10 * DAY), AWAY)
    known(run, 2 * DAY)
    assert cold_start(run) is not None
    run.account.reads = [page(11 * DAY, complete=True)]
    assert cold_start(run) is None
    since, below = old(2 * DAY)[0].id - 1, old(10 * DAY)[0].id
    assert run.account.ranges == [(since, 0), (0, 0), (0, below), (0, below)]


def test_a_restore_that_could_not_be_read():
    """A read that failed is no proof that the five are deleted: nothing else is read in this run."""
    run = reading("restored", AWAY)
    known(run, 2 * DAY)
    assert cold_start(run) is not None
    assert len(run.account.ranges) == 1
    assert run.db.notes.get("restore_since") == str(old(2 * DAY)[0].id - 1)


def test_a_backup_that_was_made_while_the_history_was_read():
    """After the restore, what the backup lacked is read on: the database counts as a replaced one."""
    run = reading("restored", page(HOUR, complete=True), AWAY)
    known(run, 2 * HOUR)
    below = old(2 * HOUR)[0].id
    Position("import", below, 1, 0).keep(run)
    assert cold_start(run).message.startswith(
        "the database is new and reads the account's tweets first, 1 so far"
    )
    assert run.db.notes.get("cold_start") == "replaced"
    run.account.reads = [page(3 * HOUR, complete=True)]
    assert cold_start(run) is None
    assert run.account.ranges == [(below - 1, 0), (0, below), (0, below)]
    assert run.db.notes.current_hold().reason == "new-database"


def test_the_audit_waits_while_the_history_is_read():
    """The history is an audit: the next one is a day later, and a later page does not move it."""
    run = reading("new", page(HOUR), AWAY)
    cold_start(run)
    run.clock.time += HOUR
    run.account.reads = [page(2 * HOUR, complete=True)]
    assert cold_start(run) is None
    assert run.db.notes.get_time("audited_at") == NOW

"""Results of posts in one run: when X is asked, for how many, what is recorded, and what a bad answer costs."""

import pytest

from src.domain.answers import Outcome, SendResult
from src.domain.errors import ProgramError
from src.domain.fixes import NO_FIX, Fix
from src.domain.results import Due, Figures, Lookup, Reading
from src.domain.runs import Hold
from src.posting import results
from tests.support.logs import caught
from tests.support.scripted import scripted_run
from tests.support.stored import NOW, put

DONE = SendResult(Outcome.DONE)
SEEN, LIKED = Figures(impressions=7), Figures(likes=1)


def asking(*answers, posts=3, env=None):
    """Return a run, so many posts with the tweets 101, 102, ..., and the requests that it makes."""
    run = scripted_run({"PRICE_READ_USD": "0.01", "DEADLINE_SECONDS": "480", **(env or {})})
    run.db.notes.put(cold_start=None)
    asked, left = [], list(answers)

    def look_up(tweet_ids):
        asked.append(list(tweet_ids))
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    run.account.look_up = look_up
    due = [
        Due(put(run.db, "posted", f"Text {n}.", tweet_id=101 + n, sent_at=NOW), 101 + n) for n in range(posts)
    ]
    return run, due, asked


def kept(run, due):
    """Return the figures on record, in the order of the posts."""
    found = run.db.results.of([post.post_id for post in due])
    return [found[post.post_id].figures if post.post_id in found else None for post in due]


def spent(run):
    rows = run.db.connection.rows("SELECT kind, units, usd FROM spending")
    return [(row["kind"], row["units"], pytest.approx(row["usd"])) for row in rows]


def test_what_is_recorded():
    """The figures of each tweet, none where X has no tweet, nothing where it did not answer; and the cost."""
    run, due, asked = asking(Lookup({101: SEEN}, frozenset({102}), 1, DONE))
    with caught() as records:
        results.read(run, due)
    assert asked == [[101, 102, 103]]
    assert kept(run, due) == [SEEN, Figures(), None]
    assert spent(run) == [("results", 1, 0.01)]
    (line,) = [r for r in records if r.msg == "results.read"]
    assert (line.posts, line.missing, line.unanswered) == (2, 1, 1)
    assert run.db.results.reading() == Reading()


@pytest.mark.parametrize(("seconds", "asks"), [(70.0, 1), (69.5, 0)])
def test_the_time_that_is_needed(seconds, asks):
    """With less than seventy seconds of the run left X is not asked, and that is no failure."""
    run, due, asked = asking(Lookup({101: SEEN}, shown=1, result=DONE))
    run.clock.sleep(480 - seconds)
    results.read(run, due)
    assert len(asked) == asks
    assert run.db.results.reading() == Reading()


@pytest.mark.parametrize(
    ("kind", "cold_start", "asks"),
    [(None, None, 1), ("wait", None, 1), ("blocked", None, 0), (None, "new", 0), (None, "restored", 0)],
)
def test_who_is_not_asked(kind, cold_start, asks):
    """An account that X refuses, and one whose history is not read yet."""
    run, due, asked = asking(Lookup({101: SEEN}, shown=1, result=DONE))
    run.db.notes.put(cold_start=cold_start)
    if kind:
        run.db.notes.put_hold(Hold(kind, "r", None, NO_FIX, 1, NOW))
    results.read(run, due)
    assert len(asked) == asks
    assert run.db.results.reading() == Reading()


@pytest.mark.parametrize(
    ("daily", "monthly", "price", "used", "wanted"),
    [
        ("1", "1", "0.01", 0, 3),
        ("0.03", "1", "0.01", 0, 3),
        ("0.029", "1", "0.01", 0, 2),
        ("1", "0.02", "0.01", 0, 2),
        ("0.05", "1", "0.01", 0.03, 2),
        ("1", "0.05", "0.01", 0.03, 2),
        ("0.3", "1", "0.1", 0, 3),  # 2.9999999999999996 of them in binary
        ("0.01", "0.01", "0", 0.03, 3),
    ],
)
def test_as_many_as_the_budgets_allow(daily, monthly, price, used, wanted):
    """The lesser of what is left of the day and of the month; without a price any number."""
    env = {"DAILY_BUDGET_USD": daily, "MONTHLY_BUDGET_USD": monthly, "PRICE_READ_USD": price}
    run, due, asked = asking(Lookup({101: SEEN}, shown=1, result=DONE), env=env)
    if used:
        run.db.journal.spend(NOW, "post", 1, used)
    results.read(run, due)
    assert asked == [[101, 102, 103][:wanted]]


@pytest.mark.parametrize("used", [0.06, 0.055])
def test_the_budget_is_used_up(used):
    """Nothing is asked, also where more was spent than allowed; the failure says what one costs."""
    run, due, asked = asking(env={"DAILY_BUDGET_USD": "0.05", "MONTHLY_BUDGET_USD": "1"})
    run.db.journal.spend(NOW, "post", 1, used)
    results.read(run, due)
    assert asked == []
    assert spent(run) == [("post", 1, used)]
    assert run.db.results.reading() == Reading(
        1, "the budget is used up, and each costs $0.010", results.FIX_BUDGET
    )


@pytest.mark.parametrize(
    ("lookup", "detail", "fix", "billed"),
    [
        (Lookup(shown=2, result=SendResult(Outcome.LATER, reason="rate", detail="app", fix=Fix("wait"))), "rate: app", Fix("wait"), 2),
        (Lookup(result=SendResult(Outcome.UNKNOWN, reason="timeout")), "timeout", NO_FIX, 0),
        (Lookup({101: Figures(), 102: Figures()}, shown=2, result=DONE), "X shows the tweets without any figures", results.FIX_FIGURES, 2),
        (Lookup({999: SEEN}, shown=1, result=DONE), "X answered for none of the tweets", results.FIX_FIGURES, 1),
        (Lookup(result=DONE), "X answered for none of the tweets", results.FIX_FIGURES, 0),
    ],
)  # fmt: skip
def test_an_answer_without_results(lookup, detail, fix, billed):
    """It is a failure, counted and logged, and X bills what it showed; no result is recorded."""
    run, due, _ = asking(lookup, lookup)
    with caught() as records:
        results.read(run, due)
        results.read(run, due)
    assert kept(run, due) == [None] * 3
    assert run.db.results.reading() == Reading(2, detail, fix)
    assert spent(run) == [("results", billed, billed * 0.01)] * (2 if billed else 0)
    assert [r.detail for r in records if r.msg == "results.failed"] == [detail] * 2


def test_one_tweet_with_figures_is_enough():
    """X gives none of a tweet or two: the others stand."""
    run, due, _ = asking(Lookup({101: Figures(), 102: LIKED}, shown=2, result=DONE))
    results.read(run, due)
    assert kept(run, due) == [Figures(), LIKED, None]


def test_tweets_that_are_all_deleted():
    """Each is recorded without figures, and never asked again."""
    run, due, _ = asking(Lookup(missing=frozenset({101, 102, 103}), result=DONE))
    results.read(run, due)
    assert kept(run, due) == [Figures()] * 3
    assert run.db.results.reading() == Reading()


def test_a_bug_ends_no_run():
    """It is logged and counts as a failure; what the machine refuses ends the run."""
    run, due, _ = asking(KeyError("x"), ProgramError("the disk is full"))
    with caught() as records:
        results.read(run, due)
    assert run.db.results.reading().detail == "a bug: KeyError"
    assert [r.levelname for r in records if r.msg == "results.bug"] == ["ERROR"]
    with pytest.raises(ProgramError):
        results.read(run, due)
    assert run.db.results.reading().failures == 1

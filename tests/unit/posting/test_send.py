"""What a run measures of its send: requests, cost, X's answer and what its limits leave."""

from datetime import UTC, datetime

import pytest

from src import config
from src.db_manager import empty_database
from src.domain.answers import Outcome, RateLimit, SendResult
from src.domain.runs import limit_left_metric
from src.domain.texts import Draft
from src.posting.run import Run, no_text
from src.posting.send import send
from src.system.clock import Clock

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)


class Still(Clock):
    """A clock that moves only when someone sleeps."""

    def __init__(self):
        self.time, self.slept = NOW, []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.slept.append(seconds)


class Account:
    """An account that answers posts by script."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def send(self, text):
        return self.answers.pop(0)


def sent(*answers):
    """Send one post to an account with these answers; the run, the post and the answer."""
    account = Account(*answers)
    run = Run(config.load({}), empty_database(NOW), account, no_text, "run", Still())
    post, result = send(run, run.db.claim(Draft("The words.", "wording"), "2026-11-22T14:00Z", NOW))
    return run, post, result


def measured(run):
    return {name: value for name, value in run.metrics.items() if not name.endswith("_seconds")}


def test_a_send_is_measured():
    """One request, its time, its cost, its status, and the share that each limit leaves, to four digits."""
    limit = RateLimit("app", 300, 299, NOW)
    answer = SendResult(Outcome.POSTED, tweet_id=77, http_status=201, latency_ms=250, limits=(limit,))
    run, post, _ = sent(answer)
    assert (post.status, run.db.notes.limits()) == ("posted", (limit,))
    assert measured(run) == {
        "attempts": 1,
        "send_ms": 250,
        "http_status": 201,
        "cost_usd": pytest.approx(run.settings.price_post_usd),
        "app-remaining": 299,
        limit_left_metric("app"): 0.9967,
    }


def test_what_never_left_costs_nothing_and_is_tried_three_times():
    """A request that never left is made three times, with pauses that stay under four times the setting."""
    run, post, result = sent(*[SendResult(Outcome.NOT_SENT)] * 3)
    assert (post.status, result.outcome) == ("pending", Outcome.NOT_SENT)
    assert measured(run) == {"attempts": 3, "send_ms": 0, "http_status": 0}
    pause = run.settings.retry_wait_seconds
    assert len(run.clock.slept) == 2
    assert [seconds for seconds in run.clock.slept if not 0 <= seconds <= pause] == []

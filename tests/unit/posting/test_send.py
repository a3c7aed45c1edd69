"""What a run measures and logs of its send: requests, cost, X's answer and what its limits leave."""

import pytest

from src.domain.answers import Outcome, RateLimit, SendResult, TimelineRead
from src.domain.runs import limit_left_metric
from src.domain.texts import Draft
from src.posting.run import NETWORK_SECONDS
from src.posting.send import send
from tests.support.logs import caught
from tests.support.scripted import Scripted, Still, scripted_run
from tests.support.stored import NOW, SLOT


def sent(*answers, env=None, **parts):
    """Send one post to an account with these answers; the run, the post and the answer."""
    run = scripted_run(env, account=Scripted(answers), **parts)
    post, result = send(run, run.db.claim(Draft("The words.", "wording"), SLOT, NOW))
    return run, post, result


def measured(run):
    return {name: value for name, value in run.metrics.items() if not name.endswith("_seconds")}


def test_a_send_is_measured():
    """One request, its time, its cost, its status, and the share that each limit leaves, to four digits."""
    limit = RateLimit("app", 300, 299, NOW)
    answer = SendResult(Outcome.POSTED, tweet_id=77, http_status=201, latency_ms=250, limits=(limit,))
    run, post, _ = sent(answer)
    assert (post.status, run.db.notes.limits()) == ("posted", (limit,))
    run.phase("")
    assert run.metrics["send_seconds"] == 0.0
    assert measured(run) == {
        "attempts": 1,
        "send_ms": 250,
        "http_status": 201,
        "cost_usd": pytest.approx(run.settings.price_post_usd),
        "app-remaining": 299,
        limit_left_metric("app"): 0.9967,
    }


def test_what_never_left_costs_nothing_and_is_tried_three_times():
    """A request that never left is made three times, with pauses that stay within the setting."""
    run, post, result = sent(*[SendResult(Outcome.NOT_SENT)] * 3)
    assert (post.status, result.outcome) == ("pending", Outcome.NOT_SENT)
    assert measured(run) == {"attempts": 3, "send_ms": 0, "http_status": 0}
    pause = run.settings.retry_wait_seconds
    assert len(run.clock.slept) == 2
    assert [seconds for seconds in run.clock.slept if not 0 <= seconds <= pause] == []


@pytest.mark.parametrize(("drawn", "pause"), [(0.0, 0.0), (0.5, 4.0), (0.999, 7.992)])
def test_a_pause_is_drawn_up_to_the_setting(monkeypatch, drawn, pause):
    """Each pause is drawn from nothing to RETRY_WAIT_SECONDS, so that many machines do not return at once."""
    monkeypatch.setattr("random.random", lambda: drawn)
    run, *_ = sent(*[SendResult(Outcome.NOT_SENT)] * 3, env={"RETRY_WAIT_SECONDS": "8"})
    assert run.clock.slept == pytest.approx([pause, pause])


@pytest.mark.parametrize(("left", "tries"), [(NETWORK_SECONDS / 2, 1), (NETWORK_SECONDS / 2 + 0.5, 3)])
def test_a_retry_needs_time_for_an_exchange(left, tries):
    """With 65 seconds of the run left, or less, a request that never left is not made again in this run."""
    clock = Still()
    run = scripted_run(
        {"DEADLINE_SECONDS": "480", "RETRY_WAIT_SECONDS": "0"},
        account=Scripted([SendResult(Outcome.NOT_SENT)] * 3),
        clock=clock,
    )
    post = run.db.claim(Draft("The words.", "wording"), SLOT, NOW)
    clock.sleep(480 - left)
    assert run.seconds_left() == left
    send(run, post)
    assert len(run.account.sent) == tries


def test_a_tweet_id_that_another_post_has():
    """X names the tweet of another post: nobody knows what was made, and the other post keeps its tweet."""
    first, post, _ = sent(SendResult(Outcome.POSTED, tweet_id=77, http_status=201))
    first.account.sends = [SendResult(Outcome.POSTED, tweet_id=77, http_status=201)]
    first.settings = first.settings.model_copy(update={"reconcile_delays_seconds": ()})
    second = first.db.claim(Draft("Other words.", "wording"), "2026-11-22T15:00Z", NOW)
    second, result = send(first, second)
    assert (result.outcome, result.reason, result.http_status) == (Outcome.UNKNOWN, "tweet-id-taken", 201)
    assert (second.status, second.tweet_id, second.error_message) == (
        "unknown",
        None,
        "the answer names the tweet of another post: 77",
    )
    assert first.db.post(post.id).tweet_id == 77


def test_a_post_that_another_run_has():
    """Its intent is on disk already: nothing is sent, and nobody knows what becomes of it."""
    run = scripted_run({"RECONCILE_DELAYS_SECONDS": "0"}, account=Scripted(reads=[TimelineRead()] * 9))
    post = run.db.claim(Draft("The words.", "wording"), SLOT, NOW)
    run.db.begin_send(post, "another", NOW)
    _, result = send(run, post)
    assert (result.outcome, result.reason) == (Outcome.UNKNOWN, "taken")
    assert run.account.sent == []


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        (SendResult(Outcome.POSTED, 77, 201, transaction_id="t", latency_ms=9), "INFO"),
        (SendResult(Outcome.BLOCKED, None, 403, "suspended", "the account", latency_ms=7), "WARNING"),
    ],
)
def test_what_the_log_holds_of_a_send(answer, level):
    """One line with all that X said; a warning where no tweet was made."""
    with caught() as records:
        _, post, _ = sent(answer)
    (line,) = [vars(record) for record in records if record.msg == "send"]
    assert (line["levelname"], line["post_id"]) == (level, post.id)
    names = ("outcome", "http_status", "reason", "detail", "latency_ms", "transaction_id")
    assert {name: line[name] for name in names} == {name: getattr(answer, name) for name in names}


def test_a_dry_run_logs_no_send():
    """A dry run sends nothing, so its log tells of no send."""
    with caught() as records:
        sent(SendResult(Outcome.POSTED, 77, 201), preview=True)
    assert "send" not in {record.msg for record in records}

"""What X's answers mean: the error table row by row, real tweepy over a real server, and random answers."""

import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from src.domain.answers import Outcome
from src.domain.logins import RenewableLogin
from src.x.profile import read_profile
from src.x.responses import (
    clock_is_off,
    rate_limits,
    read_delete,
    read_send,
    read_timeline,
    retry_after,
)
from tests.support import fuzz

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
ID_NOW = 2124504924287926272  # made at NOW
LOGIN = RenewableLogin("access", "refresh", NOW, NOW, "1")
X = "https://api.twitter.com/2/problems/"


def body(**fields):
    return json.dumps(fields)


TABLE = [
    (201, body(data={"id": str(ID_NOW), "text": "x"}), Outcome.POSTED, ""),
    (200, body(data={"id": str(ID_NOW)}), Outcome.POSTED, ""),
    (201, body(data={"id": "1456012973835788293"}), Outcome.UNKNOWN, "odd-tweet-id"),
    (201, body(data={"id": "9102038480786817025"}), Outcome.UNKNOWN, "odd-tweet-id"),
    (201, body(data={"id": "20"}), Outcome.UNKNOWN, "odd-tweet-id"),
    (201, body(data={"text": "x"}), Outcome.UNKNOWN, "no-tweet-id"),
    (201, body(data={"id": "abc"}), Outcome.UNKNOWN, "no-tweet-id"),
    (201, body(data={"id": 12}), Outcome.UNKNOWN, "no-tweet-id"),
    (201, body(data={"id": "-5"}), Outcome.UNKNOWN, "no-tweet-id"),
    (201, body(data={"id": "1" * 25}), Outcome.UNKNOWN, "no-tweet-id"),
    (201, body(data={"id": "٣٤"}), Outcome.UNKNOWN, "no-tweet-id"),
    (201, body(data={"id": "0"}), Outcome.UNKNOWN, "no-tweet-id"),
    (201, "", Outcome.UNKNOWN, "no-tweet-id"),
    (200, "<html>", Outcome.UNKNOWN, "no-tweet-id"),
    (201, "null", Outcome.UNKNOWN, "no-tweet-id"),
    (301, "", Outcome.UNKNOWN, "http-301"),
    (307, body(title="moved"), Outcome.UNKNOWN, "http-307"),
    (400, body(title="Invalid Request", type=X + "invalid-request"), Outcome.REFUSED, "invalid-request"),
    (400, "<html>", Outcome.UNKNOWN, "http-400"),
    (
        401,
        body(title="Unauthorized", type="about:blank", status=401, detail="Unauthorized"),
        Outcome.BLOCKED,
        "unauthorized",
    ),
    (401, body(errors=[{"code": 135, "message": "Timestamp out of bounds."}]), Outcome.BLOCKED, "clock"),
    (402, body(title="CreditsDepleted", type=X + "credits"), Outcome.BLOCKED, "no-credits"),
    (
        403,
        body(detail="You are not allowed to create a Tweet with duplicate content.", type="about:blank"),
        Outcome.DUPLICATE,
        "duplicate",
    ),
    (403, body(detail="You are not permitted to perform this action."), Outcome.BLOCKED, "forbidden"),
    (
        403,
        body(type=X + "oauth1-permissions", detail="Your client app is not configured"),
        Outcome.BLOCKED,
        "read-only-token",
    ),
    (403, body(reason="client-not-enrolled", type=X + "client-forbidden"), Outcome.BLOCKED, "not-enrolled"),
    (403, body(type=X + "unsupported-authentication"), Outcome.BLOCKED, "app-only-token"),
    (403, body(detail="Posts are limited to a maximum of one cashtag"), Outcome.REFUSED, "text-refused"),
    (403, body(detail="The Tweet contains an invalid URL."), Outcome.REFUSED, "text-refused"),
    (403, body(detail="user-suspended"), Outcome.BLOCKED, "suspended"),
    (
        403,
        body(errors=[{"code": 226, "message": "This request looks like it might be automated."}]),
        Outcome.BLOCKED,
        "looks-automated",
    ),
    (404, body(title="Not Found"), Outcome.BLOCKED, "not-found"),
    (408, body(title="Timeout"), Outcome.UNKNOWN, "http-408"),
    (429, body(title="Too Many Requests", status=429), Outcome.LATER, "rate-limited"),
    (429, body(errors=[{"code": 88, "message": "Rate limit exceeded"}]), Outcome.LATER, "rate-limited"),
    (429, body(title="UsageCapExceeded", type=X + "usage-capped"), Outcome.LATER, "usage-capped"),
    (429, "slow down", Outcome.UNKNOWN, "http-429"),
    (
        400,
        body(errors=[{"code": 215, "message": "Bad Authentication data."}]),
        Outcome.BLOCKED,
        "unauthorized",
    ),
    (
        403,
        body(errors=[{"code": 32, "message": "Could not authenticate you."}]),
        Outcome.BLOCKED,
        "unauthorized",
    ),
    (401, body(errors=[{"code": 135, "message": "Timestamp out of bounds."}]), Outcome.BLOCKED, "clock"),
    (
        403,
        body(
            errors=[{"code": 453, "message": "You currently have access to a subset of X API V2 endpoints"}]
        ),
        Outcome.BLOCKED,
        "not-enrolled",
    ),
    (
        403,
        body(errors=[{"code": 186, "message": "Tweet needs to be a bit shorter."}]),
        Outcome.REFUSED,
        "text-refused",
    ),
    (403, body(errors=[{"code": 187, "message": "Status is a duplicate."}]), Outcome.DUPLICATE, "duplicate"),
    (
        403,
        body(errors=[{"code": 185, "message": "User is over daily status update limit."}]),
        Outcome.LATER,
        "daily-limit",
    ),
    (403, body(errors=[{"code": 326, "message": "suspended? no: locked"}]), Outcome.BLOCKED, "locked"),
    (401, "<html>Attention Required! | Cloudflare", Outcome.UNKNOWN, "http-401"),
    (403, "<html>Attention Required! | Cloudflare", Outcome.UNKNOWN, "http-403"),
    (418, body(title="teapot"), Outcome.UNKNOWN, "http-418"),
    (500, "", Outcome.UNKNOWN, "http-500"),
    (502, "<html>Bad Gateway", Outcome.UNKNOWN, "http-502"),
    (503, body(title="Service Unavailable"), Outcome.UNKNOWN, "http-503"),
    (504, body(errors=[{"message": "x"}]), Outcome.UNKNOWN, "http-504"),
]


@pytest.mark.parametrize(("status", "text", "outcome", "reason"), TABLE)
def test_error_table(status, text, outcome, reason):
    """Each answer of the table means what the design says; whoever is blocked is told the fix."""
    result = read_send(status, {}, text, NOW)
    assert (result.outcome, result.reason) == (outcome, reason)
    assert (result.tweet_id is not None) == (outcome is Outcome.POSTED)
    assert bool(result.fix) or outcome is not Outcome.BLOCKED
    assert (result.until is not None) == (outcome is Outcome.LATER)


@pytest.mark.parametrize(
    ("headers", "minutes"),
    [
        ({"Retry-After": "7200"}, 120),
        ({"Retry-After": "0"}, 1),
        ({"Retry-After": "999999999999"}, 24 * 60),
        ({"Retry-After": "Sun, 22 Nov 2026 15:07:00 GMT"}, 60),
        ({"Retry-After": "Sun, 22 Nov 2026 15:07:00 GMT", "Date": "Sun, 22 Nov 2026 14:37:00 GMT"}, 30),
        ({"Retry-After": "soon"}, 15),
        ({"Retry-After": "-5"}, 15),
        ({}, 15),
    ],
)
def test_waits_as_it_is_told(headers, minutes):
    """Retry-After holds, in seconds or as a date by X's own clock, and 24 hours at most."""
    for text in (body(title="Too Many Requests"), body(errors=[{"code": 88}])):
        assert read_send(429, headers, text, NOW).until == NOW + timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "<html>Too Many Requests</html>"])
def test_a_limit_of_x_with_a_page(text):
    """X's own numbers say that it is X's limit, whatever the body is."""
    reset = NOW + timedelta(minutes=9)
    headers = {
        "x-rate-limit-limit": "100",
        "x-rate-limit-remaining": "0",
        "x-rate-limit-reset": str(int(reset.timestamp())),
    }
    result = read_send(429, headers, text, NOW)
    assert (result.outcome, result.until) == (Outcome.LATER, reset)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 407, 418, 429])
def test_what_stands_in_front_of_x(status):
    """An answer that is not X's JSON proves nothing, and the words say where to look."""
    result = read_send(status, {"cf-ray": "8e"}, "<html>", NOW)
    assert (result.outcome, "in front of X" in result.fix.render()) == (Outcome.UNKNOWN, True)


def test_wait_for_the_latest_exhausted_window():
    """Of two windows the exhausted one with the later reset counts; a window with requests left does not."""
    at = int(NOW.timestamp())
    headers = {
        "x-rate-limit-limit": "100",
        "x-rate-limit-remaining": "40",
        "x-rate-limit-reset": str(at + 900),
        "x-user-limit-24hour-limit": "50",
        "x-user-limit-24hour-remaining": "0",
        "x-user-limit-24hour-reset": str(at + 7200),
    }
    assert retry_after(headers, NOW) == NOW + timedelta(hours=2)
    assert [w.name for w in rate_limits(headers, NOW)] == ["x-rate-limit", "x-user-limit-24hour"]


@pytest.mark.parametrize(
    ("reset", "wait"),
    [
        ("soon", timedelta(minutes=15)),
        (None, timedelta(minutes=15)),
        ("253402300799", timedelta(hours=24)),
        ("0", timedelta(minutes=1)),
        ("-5", timedelta(minutes=15)),
        ("9" * 40, timedelta(minutes=15)),
        ("1e9", timedelta(minutes=15)),
    ],
)
def test_odd_resets_are_clamped(reset, wait):
    """A reset that is garbage, missing, past or in the year 9999 gives a wait between a minute and a day."""
    headers = {} if reset is None else {"x-rate-limit-reset": reset}
    assert retry_after(headers, NOW) == NOW + wait


def test_clock_check(monkeypatch):
    """A Date header more than five minutes away shows that our clock is off; a garbled one shows nothing."""
    assert clock_is_off({"Date": "Sun, 22 Nov 2026 15:07:00 GMT"}, NOW)
    assert not clock_is_off({"Date": "Sun, 22 Nov 2026 14:08:00 GMT"}, NOW)
    assert not clock_is_off({"Date": "yesterday"}, NOW)
    assert not clock_is_off({}, NOW)
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    assert not clock_is_off({"Date": "Sun, 22 Nov 2026 14:08:00"}, NOW)
    assert clock_is_off({"Date": "Sun, 22 Nov 2026 19:37:00"}, NOW)
    monkeypatch.undo()
    time.tzset()
    assert (
        read_send(401, {"Date": "Sun, 22 Nov 2026 15:07:00 GMT"}, body(title="Unauthorized"), NOW).reason
        == "clock"
    )


@pytest.mark.parametrize(
    ("status", "text", "healthy", "complete", "count"),
    [
        (200, body(data=[{"id": "5", "text": "a"}], meta={"result_count": 1}), True, True, 1),
        (200, body(meta={"result_count": 0}), True, True, 0),
        (
            200,
            body(data=[{"id": "5", "text": "a"}], meta={"result_count": 1, "next_token": "x"}),
            True,
            False,
            1,
        ),
        (200, body(data=[{"id": "5", "text": "a"}], meta={"result_count": 2}), False, False, 1),
        (200, body(data=[{"id": "x", "text": "a"}], meta={"result_count": 1}), True, True, 0),
        (200, body(data=[{"id": "5"}, {"id": "6", "text": "b"}], meta={"result_count": 2}), True, True, 1),
        (200, body(data=[{"id": "5", "text": None}], meta={"result_count": 1}), True, True, 0),
        (200, body(data=[7, None, []], meta={"result_count": 3}), True, True, 0),
        (
            200,
            body(data=[{"id": "9102038480786817025", "text": "of 2079"}], meta={"result_count": 1}),
            True,
            True,
            0,
        ),
        (200, body(data=[], meta={"result_count": True}), False, False, 0),
        (200, body(data=[]), False, False, 0),
        (200, body(data={}, meta={"result_count": 0}), False, False, 0),
        (200, body(meta={"result_count": 0}, errors=[{"title": "x"}]), False, False, 0),
        (200, "null", False, False, 0),
        (200, "[]", False, False, 0),
        (404, body(title="Not Found"), False, False, 0),
        (503, "", False, False, 0),
        (401, body(title="Unauthorized"), False, False, 0),
        (429, body(title="x"), False, False, 0),
    ],
)
def test_timeline(status, text, healthy, complete, count):
    """A timeline is healthy only if it is whole and free of errors, and complete where X has no more to show."""
    read = read_timeline(status, {}, text, NOW, 100)
    assert (read.healthy, read.complete, len(read.tweets)) == (healthy, complete, count)
    assert healthy == (read.result.outcome is Outcome.DONE)
    assert read.result.outcome is not Outcome.POSTED


@pytest.mark.parametrize(
    ("status", "text", "count"),
    [
        (200, body(data={"public_metrics": {"tweet_count": 145}}), 145),
        (200, body(data={"public_metrics": {"tweet_count": 0}}), 0),
        (503, body(data={"public_metrics": {"tweet_count": 145}}), None),
        *(
            (200, text, None)
            for text in (
                "null",
                body(data=None),
                body(data={"id": "1"}),
                body(data={"public_metrics": [1]}),
                body(data={"public_metrics": {"tweet_count": "145"}}),
                body(data={"public_metrics": {"tweet_count": -1}}),
                body(data={"public_metrics": {"tweet_count": True}}),
            )
        ),
    ],
)
def test_how_many_tweets_x_counts(status, text, count):
    """Only a number of X's profile of the account counts."""
    assert read_profile(status, text).tweets == count


@pytest.mark.parametrize(("minutes", "healthy"), [(-6, False), (-4, True), (4, True), (6, False)])
def test_a_read_under_a_wrong_clock(minutes, healthy):
    """A read whose time is more than five minutes from X's shows tweets, and is no evidence of absence."""
    headers = {"Date": format_datetime(NOW + timedelta(minutes=minutes))}
    text = body(data=[{"id": "5", "text": "a"}], meta={"result_count": 1})
    read = read_timeline(200, headers, text, NOW, 100)
    assert (read.healthy, len(read.tweets)) == (healthy, 1)
    assert read.result.reason == ("" if healthy else "clock")


@pytest.mark.parametrize(
    ("status", "text", "outcome"),
    [
        (200, body(data={"deleted": True}), Outcome.DONE),
        (404, body(title="Not Found"), Outcome.DONE),
        (200, body(data={"deleted": False}), Outcome.UNKNOWN),
        (200, body(data={"id": "5"}), Outcome.UNKNOWN),
        (404, "<html>", Outcome.UNKNOWN),
        (401, body(title="Unauthorized"), Outcome.BLOCKED),
        (500, "", Outcome.UNKNOWN),
    ],
)
def test_delete(status, text, outcome):
    """Deleting counts as done only when X says so."""
    assert read_delete(7, status, {}, text, NOW).outcome is outcome


def test_random_answers():
    """5,000 random answers: always one of the seven outcomes, never an exception, never posted without a numeric id."""
    fuzz.random_answers(5_000)


def test_every_exchange_has_a_connection_of_its_own(tmp_path, monkeypatch):
    """A post never goes over a connection left from a read: the server may have closed it without a word."""
    from src.system.clock import Clock
    from src.twitter_handler import XClient
    from tests.fake_x import FakeX, _Handler
    from tests.support.world import World

    serve = _Handler._serve
    monkeypatch.setattr(
        _Handler, "_serve", lambda self: (serve(self), setattr(self, "close_connection", False))
    )
    with FakeX() as x:
        ports = []
        real = x._server.process_request
        x._server.process_request = lambda request, address: (
            ports.append(address[1]),
            real(request, address),
        )
        client = XClient(World(tmp_path, x, None).settings, Clock().now)
        for number in range(20):
            assert client.timeline(0).healthy
            assert client.send(f"Text {number}.").outcome is Outcome.POSTED
        assert len(ports) == len(set(ports)) == 40

"""The answers of X by value: class, reason, fix, words, waits, and what exactly lies at each limit."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from src.domain.answers import MAX_TWEET_ID, TWITTER_EPOCH_MS, Outcome, RateLimit, SendResult, Tweet
from src.domain.fixes import NO_FIX, Fix
from src.domain.logins import PinLogin, RenewableLogin
from src.x import responses
from src.x.credentials import FIX_LOGIN
from src.x.responses import (
    FIX_ACCOUNT,
    FIX_CLIENT,
    FIX_CLOCK,
    FIX_CREDITS,
    FIX_ENROL,
    FIX_IN_FRONT,
    FIX_KEYS,
    FIX_LOOK,
    FIX_PLAN,
    FIX_USER_AUTH,
    FIX_WRITE,
    clock_is_off,
    fix_for,
    rate_limits,
    read_delete,
    read_error,
    read_renewal,
    read_send,
    read_timeline,
    read_tokens,
    retry_after,
)

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
LOGIN = RenewableLogin("access", "refresh", NOW, NOW, "1", ("tweet.read",))
X = "https://api.twitter.com/2/problems/"
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
POSTED, UNKNOWN, REFUSED, BLOCKED, LATER, DUPLICATE, DONE = (
    Outcome.POSTED,
    Outcome.UNKNOWN,
    Outcome.REFUSED,
    Outcome.BLOCKED,
    Outcome.LATER,
    Outcome.DUPLICATE,
    Outcome.DONE,
)


def body(**fields):
    return json.dumps(fields)


def coded(code):
    return body(errors=[{"code": code, "message": "words that decide nothing"}])


def id_at(moment):
    """Return an id that X gives a tweet at this moment."""
    return (round(moment.timestamp() * 1000) - TWITTER_EPOCH_MS) << 22


def window(name, remaining, minutes, limit=100):
    reset = int((NOW + timedelta(minutes=minutes)).timestamp())
    return {f"{name}-limit": str(limit), f"{name}-remaining": str(remaining), f"{name}-reset": str(reset)}


def about(outcome, reason, fix):
    return outcome, reason, fix


# ---- a POST ------------------------------------------------------------------------------------------------

CODES = {
    32: about(BLOCKED, "unauthorized", FIX_KEYS),
    63: about(BLOCKED, "suspended", FIX_ACCOUNT),
    64: about(BLOCKED, "suspended", FIX_ACCOUNT),
    88: about(LATER, "rate-limited", NO_FIX),
    89: about(BLOCKED, "unauthorized", FIX_KEYS),
    99: about(BLOCKED, "unauthorized", FIX_KEYS),
    135: about(BLOCKED, "clock", FIX_CLOCK),
    185: about(LATER, "daily-limit", NO_FIX),
    186: about(REFUSED, "text-refused", NO_FIX),
    187: about(DUPLICATE, "duplicate", NO_FIX),
    215: about(BLOCKED, "unauthorized", FIX_KEYS),
    220: about(BLOCKED, "unauthorized", FIX_KEYS),
    226: about(BLOCKED, "looks-automated", FIX_ACCOUNT),
    261: about(BLOCKED, "read-only-token", FIX_WRITE),
    326: about(BLOCKED, "locked", FIX_ACCOUNT),
    453: about(BLOCKED, "not-enrolled", FIX_PLAN),
}


def test_no_code_without_a_row():
    """The codes that decide are those of the table above."""
    assert sorted(responses.CODES) == sorted(CODES)


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("code", CODES)
def test_codes(status, code):
    """A code of X's decides outcome, reason and fix, whichever of the three statuses it comes with."""
    result = read_send(status, {}, coded(code), NOW)
    assert (result.outcome, result.reason, result.fix) == CODES[code]
    assert (result.http_status, result.detail) == (status, f"words that decide nothing; code {code}")


@pytest.mark.parametrize("code", [*(code + 1 for code in CODES if code + 1 not in CODES), 0])
def test_other_codes(code):
    """A number beside one of them decides nothing: the status does."""
    assert read_send(403, {}, coded(code), NOW).reason == "forbidden"


@pytest.mark.parametrize(
    ("codes", "reason"),
    [((32, 135), "clock"), ((326, 187), "duplicate"), ((89, 64), "suspended"), ((88, 185), "daily-limit")],
)
def test_of_several_codes(codes, reason):
    """The first in the order of the table counts, not the first that X names."""
    text = body(errors=[{"code": code} for code in codes])
    assert read_send(403, {}, text, NOW).reason == reason


@pytest.mark.parametrize(
    ("status", "fields", "outcome", "reason", "fix"),
    [
        (400, {"type": X + "invalid-request"}, REFUSED, "invalid-request", NO_FIX),
        (400, {"type": X + "odd-problem"}, REFUSED, "odd-problem", NO_FIX),
        (400, {"type": "about:blank"}, REFUSED, "invalid-request", NO_FIX),
        (400, {"title": "x"}, REFUSED, "invalid-request", NO_FIX),
        (401, {"title": "Unauthorized"}, BLOCKED, "unauthorized", FIX_KEYS),
        (402, {"type": X + "credits"}, BLOCKED, "no-credits", FIX_CREDITS),
        (403, {"detail": "a duplicate"}, DUPLICATE, "duplicate", NO_FIX),
        (403, {"detail": "Whoops! You already said that."}, DUPLICATE, "duplicate", NO_FIX),
        *(
            (403, {"detail": f"It has {hint} in it"}, REFUSED, "text-refused", NO_FIX)
            for hint in ("a Cashtag", "an invalid URL", "an invalid-url", "a text too long", "a hashtag")
        ),
        (403, {"type": X + "oauth1-permissions"}, BLOCKED, "read-only-token", FIX_WRITE),
        (403, {"type": X + "client-forbidden"}, BLOCKED, "not-enrolled", FIX_ENROL),
        (403, {"reason": "client-not-enrolled"}, BLOCKED, "not-enrolled", FIX_ENROL),
        (403, {"type": X + "unsupported-authentication"}, BLOCKED, "app-only-token", FIX_USER_AUTH),
        (403, {"detail": "looks automated"}, BLOCKED, "looks-automated", FIX_ACCOUNT),
        (403, {"detail": "user-suspended"}, BLOCKED, "suspended", FIX_ACCOUNT),
        (403, {"type": X + "Odd-Problem/"}, BLOCKED, "odd-problem", FIX_ACCOUNT),
        (403, {"type": X + "x" * 70}, BLOCKED, "x" * 60, FIX_ACCOUNT),
        (403, {"detail": "not permitted"}, BLOCKED, "forbidden", FIX_ACCOUNT),
        (404, {"type": X + "resource-not-found"}, BLOCKED, "resource-not-found", FIX_ACCOUNT),
        (404, {"title": "x"}, BLOCKED, "not-found", FIX_ACCOUNT),
        (429, {"title": "Too Many Requests"}, LATER, "rate-limited", NO_FIX),
        (429, {"type": X + "usage-capped"}, LATER, "usage-capped", FIX_CREDITS),
        (429, {"title": "Usage Cap Exceeded"}, LATER, "usage-capped", FIX_CREDITS),
        (418, {"title": "teapot"}, UNKNOWN, "http-418", NO_FIX),
        (499, {"title": "x"}, UNKNOWN, "http-499", NO_FIX),
        (300, {"title": "x"}, UNKNOWN, "http-300", FIX_LOOK),
        (399, {"title": "x"}, UNKNOWN, "http-399", FIX_LOOK),
        (500, {"title": "x"}, UNKNOWN, "http-500", FIX_LOOK),
        (503, {"title": "x"}, UNKNOWN, "http-503", FIX_LOOK),
    ],
)
def test_refusals(status, fields, outcome, reason, fix):
    """Without a code the status decides, then X's problem and words: outcome, reason and fix of each."""
    result = read_send(status, {}, body(**fields), NOW)
    assert (result.outcome, result.reason, result.fix) == (outcome, reason, fix)
    assert result.http_status == status


@pytest.mark.parametrize(
    ("status", "detail", "fix"),
    [
        (300, "", FIX_LOOK),
        (500, "", FIX_LOOK),
        (400, "the answer is not from X", FIX_IN_FRONT),
        (499, "the answer is not from X", FIX_IN_FRONT),
    ],
)
def test_pages(status, detail, fix):
    """A page with an error's status comes from what stands in front of X; any other says nothing of the way."""
    assert read_send(status, {}, "<html>", NOW) == SendResult(
        UNKNOWN, http_status=status, reason=f"http-{status}", detail=detail, fix=fix
    )


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_the_page_of_a_limit_is_that_of_429(status):
    """The numbers of X's limits make only a 429 X's own."""
    assert read_send(status, window("x-rate-limit", 0, 9), "<html>", NOW).outcome is UNKNOWN


def test_a_cap_with_numbers():
    """The numbers of X's limits do not take the place of what its JSON says."""
    text = body(type=X + "usage-capped", detail="Monthly cap")
    result = read_send(429, window("x-rate-limit", 0, 9), text, NOW)
    assert (result.reason, result.detail) == ("usage-capped", "Monthly cap")


@pytest.mark.parametrize(
    ("tweet_id", "reason"),
    [
        (0, "no-tweet-id"),
        (1, "odd-tweet-id"),
        (MAX_TWEET_ID, "odd-tweet-id"),
        (MAX_TWEET_ID + 1, "no-tweet-id"),
    ],
)
def test_the_ends_of_the_ids(tweet_id, reason):
    """An id lies between 1 and the largest of 63 bits."""
    assert read_send(201, {}, body(data={"id": str(tweet_id)}), NOW).reason == reason


@pytest.mark.parametrize(
    ("server", "seconds", "outcome"),
    [
        (True, 300, POSTED),
        (True, -300, POSTED),
        (True, 300.001, UNKNOWN),
        (True, -300.001, UNKNOWN),
        (False, 24 * 3600, POSTED),
        (False, -24 * 3600, POSTED),
        (False, 24 * 3600 + 0.001, UNKNOWN),
        (False, -24 * 3600 - 0.001, UNKNOWN),
    ],
)
def test_a_tweet_of_now(server, seconds, outcome):
    """The id of a new tweet is of five minutes around X's clock, without it of a day around ours."""
    headers = {"Date": format_datetime(NOW)} if server else {}
    tweet_id = id_at(NOW + timedelta(seconds=seconds))
    ours = NOW + timedelta(days=3) if server else NOW
    result = read_send(201, headers, body(data={"id": str(tweet_id)}), ours)
    assert (result.outcome, result.tweet_id) == (outcome, tweet_id if outcome is POSTED else None)


@pytest.mark.parametrize(
    ("status", "outcome"), [(199, UNKNOWN), (200, POSTED), (201, POSTED), (299, POSTED), (300, UNKNOWN)]
)
def test_a_success(status, outcome):
    """A tweet was made where a status of success names it."""
    tweet_id = id_at(NOW)
    result = read_send(status, {}, body(data={"id": str(tweet_id)}), NOW)
    assert (result.outcome, result.http_status) == (outcome, status)


# ---- words and waits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"title": "T", "detail": "D", "reason": "R"}, "T; D; R"),
        ({"error": "E", "error_description": "why"}, "E; why"),
        ({"title": "", "detail": "D"}, "D"),
        ({"title": 7, "detail": ["D"]}, ""),
        ({"errors": [{"message": "M", "detail": "D", "code": 7}, "S", None]}, "M; D; code 7; S"),
        ({"errors": [{"message": "M", "code": "7"}]}, "M"),
        ({"errors": {"message": "M"}}, ""),
        ({"title": "a\nb\x00c"}, "a b c"),
        ({"title": "x" * 201}, "x" * 200),
    ],
)
def test_words_of_an_error(fields, detail):
    """Each message of the body in one printable line of at most 200 characters."""
    assert read_error(404, {}, body(**fields), NOW).detail == detail


@pytest.mark.parametrize(
    ("headers", "until"),
    [
        ({}, MIDNIGHT),
        (window("x-rate-limit", 40, 9), MIDNIGHT),
        ({"Retry-After": "soon"}, MIDNIGHT),
        (window("x-rate-limit", 0, 9), NOW + timedelta(minutes=9)),
        (window("x-user-limit-24hour", 0, 300), NOW + timedelta(minutes=300)),
        ({"Retry-After": "7200"}, NOW + timedelta(hours=2)),
        ({"Retry-After": "1"}, NOW + timedelta(minutes=1)),
    ],
)
def test_the_limit_of_a_day(headers, until):
    """It ends with X's day, unless Retry-After or an exhausted window says another time."""
    now = NOW.replace(second=5, microsecond=7) if until == MIDNIGHT else NOW
    assert read_send(403, headers, coded(185), now).until == until


@pytest.mark.parametrize(
    ("headers", "minutes"), [({}, 15), (window("x-rate-limit", 40, 9), 9), ({"Retry-After": "7200"}, 120)]
)
def test_code_88_is_no_limit_of_a_day(headers, minutes):
    """A rate limit that comes with another status than 429 ends as one with 429 does."""
    for status in (400, 403, 429):
        assert read_send(status, headers, coded(88), NOW).until == NOW + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("windows", "minutes"),
    [
        (window("x-rate-limit", 0, 9) | window("x-app-limit-24hour", 1, 600), 9),
        (window("x-rate-limit", 1, 9) | window("x-app-limit-24hour", 0, 600), 600),
        (window("x-rate-limit", 0, 9) | window("x-user-limit-24hour", 0, 600), 600),
        (window("x-rate-limit", 0, 9) | {"Retry-After": "1200"}, 20),
        (window("x-rate-limit", 0, 9) | {"Retry-After": "60"}, 9),
        (window("x-rate-limit", 0, 0), 1),
    ],
)
def test_the_latest_wait(windows, minutes):
    """Of what X asks for the latest counts; a window with one request left asks for nothing."""
    assert retry_after(windows, NOW) == NOW + timedelta(minutes=minutes)


def test_windows():
    """A window has three usable numbers, of 19 digits at most; a reset in the past is now, one far ahead a day."""
    whole = window("x-rate-limit", 3, 9)
    assert rate_limits(whole, NOW) == (RateLimit("x-rate-limit", 100, 3, NOW + timedelta(minutes=9)),)
    for name in whole:
        assert rate_limits({k: v for k, v in whole.items() if k != name}, NOW) == ()
    assert rate_limits({**whole, "x-rate-limit-limit": "9" * 19}, NOW)[0].limit == 10**19 - 1
    assert rate_limits({**whole, "x-rate-limit-limit": "9" * 20}, NOW) == ()
    assert rate_limits(window("x-rate-limit", 3, -1), NOW)[0].reset == NOW
    assert rate_limits(window("x-rate-limit", 3, 1441), NOW)[0].reset == NOW + timedelta(hours=24)


@pytest.mark.parametrize(("seconds", "off"), [(300, False), (301, True), (-300, False), (-301, True)])
def test_five_minutes_are_right(seconds, off):
    """Up to five minutes the two clocks agree."""
    assert clock_is_off({"Date": format_datetime(NOW + timedelta(seconds=seconds))}, NOW) is off


# ---- other requests ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "fields", "outcome", "reason"),
    [
        (200, {"data": {"deleted": True}}, DONE, ""),
        (404, {"title": "x"}, DONE, "already-gone"),
        (200, {"data": {"deleted": 1}}, UNKNOWN, "not-deleted"),
        (200, {"data": [True]}, UNKNOWN, "not-deleted"),
        (201, {"data": {"deleted": True}}, UNKNOWN, "not-deleted"),
        (299, {"title": "x"}, UNKNOWN, "not-deleted"),
        (300, {"title": "x"}, UNKNOWN, "http-300"),
        (500, {"data": {"deleted": True}}, UNKNOWN, "http-500"),
        (403, {"data": {"deleted": True}}, BLOCKED, "forbidden"),
    ],
)
def test_deleting(status, fields, outcome, reason):
    """Only a 200 that says so, or X's own 404, is a deleted tweet; each answer has its reason."""
    result = read_delete(7, status, {}, body(**fields), NOW)
    assert (result.outcome, result.reason, result.http_status) == (outcome, reason, status)
    assert result.tweet_id == (7 if outcome is DONE else None)


def page(*items, **meta):
    return body(data=list(items), meta={"result_count": len(items), **meta})


def item(tweet_id, **more):
    return {"id": str(tweet_id), "text": "a", **more}


@pytest.mark.parametrize(
    ("ahead", "headers", "odd"),
    [
        (300, {"Date": format_datetime(NOW)}, 0),
        (300.001, {"Date": format_datetime(NOW)}, 1),
        (24 * 3600 + 300, {}, 0),
        (24 * 3600 + 300.001, {}, 1),
    ],
)
def test_a_tweet_that_is_still_to_come(ahead, headers, odd):
    """It is no tweet: by X's clock with five minutes to spare, by ours with a day more."""
    text = page(item(id_at(NOW + timedelta(seconds=ahead))), item(id_at(NOW)), item(5))
    read = read_timeline(200, headers, text, NOW, 100)
    assert (read.odd, len(read.tweets)) == (odd, 3 - odd)
    assert (read.healthy, read.result) == (True, SendResult(DONE, http_status=200))


def test_odd_items():
    """Each item that is no tweet counts as one, whatever it is instead; the others are read."""
    text = page(7, None, [], {}, {"id": "x", "text": "a"}, {"id": "9", "text": None}, item(6), item(5))
    read = read_timeline(200, {}, text, NOW, 100)
    assert (read.odd, read.tweets, read.oldest_id) == (6, (Tweet(6, "a"), Tweet(5, "a")), 5)


def test_earlier_ids():
    """What stands among them and is no older id counts for none; the others come in order, once."""
    told = ["3", "x", None, 4, "9", "8", "2", "3"]
    (tweet,) = read_timeline(200, {}, page(item(8, edit_history_tweet_ids=told)), NOW, 100).tweets
    assert (tweet.earlier, tweet.ids, tweet.first_id) == ((2, 3), (2, 3, 8), 2)


@pytest.mark.parametrize(
    ("oldest", "items", "expected"),
    [("3", (item(9), item(8)), 3), ("9", (item(8),), 8), ("x", (item(8),), 8), ("4", (), 4), (4, (), 0)],
)
def test_the_oldest_of_a_page(oldest, items, expected):
    """The lowest of the ids that X names or shows; what is no id counts for none."""
    assert read_timeline(200, {}, page(*items, oldest_id=oldest), NOW, 100).oldest_id == expected


@pytest.mark.parametrize(
    ("items", "count", "complete"),
    [(4, 3, True), (5, 3, False), (5, 5, False), (6, 7, True), (7, 7, False), (8, 7, False)],
)
def test_a_full_page_is_not_complete(items, count, complete):
    """A page with as many items as were asked for, five at least, may have more behind it."""
    text = page(*(item(n) for n in range(1, items + 1)))
    read = read_timeline(200, {}, text, NOW, count)
    assert (read.healthy, read.more, read.complete) == (True, False, complete)


def test_a_count_is_a_number():
    """`true` is no count, though it equals 1."""
    read = read_timeline(200, {}, page(item(5), result_count=True), NOW, 100)
    assert (read.healthy, read.complete, read.result.reason) == (False, False, "malformed-timeline")


@pytest.mark.parametrize(
    ("status", "fields", "outcome", "reason"),
    [
        (403, {"detail": "duplicate"}, UNKNOWN, "http-403"),
        (400, {"title": "x"}, UNKNOWN, "http-400"),
        (401, {"title": "x"}, BLOCKED, "unauthorized"),
        (429, {"title": "x"}, LATER, "rate-limited"),
        (201, {"data": [], "meta": {"result_count": 0}}, UNKNOWN, "http-201"),
    ],
)
def test_no_timeline(status, fields, outcome, reason):
    """A read is refused for the account or a limit; what X says of texts says nothing here."""
    read = read_timeline(status, {}, body(**fields), NOW, 100)
    assert (read.healthy, read.result.outcome, read.result.reason) == (False, outcome, reason)


# ---- logins ------------------------------------------------------------------------------------------------

TOKENS = {"access_token": "a", "refresh_token": "b", "expires_in": 7200}
NO_TOKENS = "no usable tokens in the answer"


@pytest.mark.parametrize(
    ("status", "text", "outcome", "reason", "detail", "fix"),
    [
        (200, body(token_type="x"), UNKNOWN, "http-200", NO_TOKENS, FIX_LOOK),
        (201, body(**TOKENS), UNKNOWN, "http-201", NO_TOKENS, FIX_LOOK),
        (299, body(token_type="x"), UNKNOWN, "http-299", NO_TOKENS, FIX_LOOK),
        (300, body(title="x"), UNKNOWN, "http-300", "", FIX_LOOK),
        (400, "<html>", UNKNOWN, "http-400", NO_TOKENS, FIX_LOOK),
        (401, "<html>", UNKNOWN, "http-401", NO_TOKENS, FIX_LOOK),
        (503, body(title="x"), UNKNOWN, "http-503", "", FIX_LOOK),
        (402, body(title="x"), BLOCKED, "no-credits", "x", FIX_CREDITS),
        (400, body(error="invalid_grant"), BLOCKED, "login-ended", "invalid_grant", FIX_LOGIN),
        (400, body(error=["odd"]), BLOCKED, "login-ended", "", FIX_LOGIN),
        (400, body(error="invalid_client"), BLOCKED, "client-refused", "invalid_client", FIX_CLIENT),
        (
            400,
            body(error="unauthorized_client"),
            BLOCKED,
            "client-refused",
            "unauthorized_client",
            FIX_CLIENT,
        ),
        (401, body(error="invalid_grant"), BLOCKED, "client-refused", "invalid_grant", FIX_CLIENT),
    ],
)
def test_no_renewal(status, text, outcome, reason, detail, fix):
    """Why there are no tokens: the login has ended, the client is refused, or nobody knows."""
    renewal = read_renewal(status, {}, text, NOW, LOGIN)
    expected = SendResult(outcome, http_status=status, reason=reason, detail=detail, fix=fix)
    assert (renewal.result, renewal.login) == (expected, None)


def test_a_renewal():
    """It has two new tokens, their time, and the rights that X names, else those from before."""
    renewal = read_renewal(200, {}, body(**TOKENS), NOW, LOGIN)
    ends = NOW + timedelta(hours=2)
    assert renewal.result == SendResult(DONE, http_status=200)
    assert renewal.login == RenewableLogin("a", "b", ends, NOW, "1", ("tweet.read",))
    assert read_tokens({**TOKENS, "scope": "x y"}, NOW, LOGIN).scopes == ("x", "y")


@pytest.mark.parametrize(
    ("seconds", "good"), [(0, False), (1, True), (366 * 86400 - 1, True), (366 * 86400, False)]
)
def test_the_life_of_a_token(seconds, good):
    """A token lives for some time, and for less than 366 days."""
    assert (read_tokens({**TOKENS, "expires_in": seconds}, NOW, LOGIN) is not None) is good


@pytest.mark.parametrize(
    ("login", "line"), [(PinLogin("t", "s", NOW), "`login`"), (LOGIN, "`login --oauth2`")]
)
def test_the_fix_of_a_login(login, line):
    """Whoever logged in is told to log in again, in the way that was used; others are told of `.env`."""
    for status, reason, begins in (
        (401, "unauthorized", "log in again: "),
        (403, "read-only-token", "set the app to Read and write"),
    ):
        result = SendResult(BLOCKED, http_status=status, reason=reason, fix=FIX_KEYS)
        said = fix_for(result, login).render()
        assert said.startswith(begins)
        assert line in said
        assert fix_for(result, None) == FIX_KEYS
    for other in (
        SendResult(BLOCKED, http_status=403, reason="unauthorized", fix=FIX_KEYS),
        SendResult(UNKNOWN, http_status=401, reason="unauthorized", fix=FIX_KEYS),
        SendResult(BLOCKED, http_status=401, reason="clock", fix=Fix("x")),
    ):
        assert fix_for(other, login) == other.fix

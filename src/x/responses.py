"""What an answer of X means: pure functions, total over any status, headers and body.

Whatever is not provably posted, refused or unsent is UNKNOWN.
"""

from __future__ import annotations

import email.utils
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from src.domain.answers import (
    CLOCK_TOLERANCE,
    MAX_TWEET_ID,
    Outcome,
    RateLimit,
    SendResult,
    TimelineRead,
    Tweet,
    snowflake_time,
)
from src.domain.fixes import NO_FIX, Fix, command, env_file
from src.domain.logins import Login, RenewableLogin
from src.x.credentials import FIX_LOGIN, checked

LONGEST_WAIT = timedelta(hours=24)
_LONGEST_LIFE = timedelta(days=366)
_WINDOWS = ("x-rate-limit", "x-app-limit-24hour", "x-user-limit-24hour")

FIX_KEYS = Fix(
    "make new keys at https://developer.x.com (your app, Keys and tokens) and put all four into ",
    env_file(),
    "; if they are right, X may have an outage: the next runs try again by themselves",
)
FIX_CLOCK = Fix("set the clock of this machine (timedatectl set-ntp true): OAuth signatures carry the time")
FIX_CREDITS = Fix("buy credits or raise the spending limit at https://developer.x.com (Billing)")
FIX_WRITE = Fix("set the app to Read and write at https://developer.x.com, then regenerate the access token")
FIX_ENROL = Fix("attach the app to a project with a pay-per-use package at https://developer.x.com")
FIX_USER_AUTH = Fix("use the access token of the account (OAuth 1.0a), not an app-only bearer token")
FIX_CLIENT = Fix(
    "compare TWITTER_CLIENT_ID and TWITTER_CLIENT_SECRET in ",
    env_file(),
    " with https://developer.x.com (your app, Keys and tokens)",
)
FIX_ACCOUNT = Fix(
    "log in to x.com with this account and clear what it shows (locked, suspended, not labelled Automated)"
)
FIX_PLAN = Fix("choose a plan that may post at https://developer.x.com (your project, Products)")
FIX_IN_FRONT = Fix(
    "something in front of X answered, such as a proxy, a firewall or Cloudflare: look at HTTPS_PROXY and at"
    " what https://api.x.com shows from this machine; the next run looks on the timeline"
)
FIX_LOOK = Fix("nothing to do: the next run looks on the timeline")


# ---- a POST ----------------------------------------------------------------------------------------------


def read_send(status: int, headers: Mapping[str, str], body: str, now: datetime) -> SendResult:
    """Return the outcome of a POST: only here can it be POSTED. `now` is UTC; waits are at most 24 hours."""
    if not 200 <= status < 300:
        return read_error(status, headers, body, now)
    tweet_id = _tweet_id(json_object(body))
    if tweet_id is None:
        return _unknown(status, "no-tweet-id", "success without a numeric tweet id")
    if not _is_of_now(tweet_id, headers, now):
        return _unknown(status, "odd-tweet-id", f"{tweet_id} is of {snowflake_time(tweet_id):%F %R} UTC")
    return SendResult(Outcome.POSTED, tweet_id=tweet_id, http_status=status)


def read_error(status: int, headers: Mapping[str, str], body: str, now: datetime) -> SendResult:
    """Return the outcome of a request that X refused; UNKNOWN unless X says so in JSON with a 4xx status."""
    data = json_object(body)
    if data is None and status == 429 and rate_limits(headers, now):
        data = {}  # the limit is X's own, whatever page came with it
    if not 400 <= status < 500:
        return _unknown(status, f"http-{status}", "")
    if data is None:
        return replace(_unknown(status, f"http-{status}", "the answer is not from X"), fix=FIX_IN_FRONT)
    return _read_refusal(status, headers, data, now)


def _read_refusal(status: int, headers: Mapping[str, str], data: dict[str, Any], now: datetime) -> SendResult:
    problem, messages = _problem(data), _messages(data)

    def answer(outcome: Outcome, reason: str, fix: Fix = NO_FIX, until: datetime | None = None) -> SendResult:
        return SendResult(
            outcome, http_status=status, reason=reason, detail=clip(messages), fix=fix, until=until
        )

    if status in {400, 401, 403} and (known := _known_code(data)):
        outcome, reason, fix = known
        until = _limit_ends(reason, headers, now) if outcome is Outcome.LATER else None
        return answer(outcome, reason, fix, until)
    match status:
        case 400:
            return answer(Outcome.REFUSED, problem or "invalid-request")
        case 401 if clock_is_off(headers, now):
            return answer(Outcome.BLOCKED, "clock", FIX_CLOCK)
        case 401:
            return answer(Outcome.BLOCKED, "unauthorized", FIX_KEYS)
        case 402:
            return answer(Outcome.BLOCKED, "no-credits", FIX_CREDITS)
        case 403:
            return _read_forbidden(problem, messages.lower(), answer)
        case 404:
            return answer(Outcome.BLOCKED, problem or "not-found", FIX_ACCOUNT)
        case 429:
            capped = "usage-capped" in problem or "usagecap" in messages.lower().replace(" ", "")
            return answer(
                Outcome.LATER,
                "usage-capped" if capped else "rate-limited",
                FIX_CREDITS if capped else NO_FIX,
                retry_after(headers, now),
            )
        case _:
            return answer(Outcome.UNKNOWN, f"http-{status}")


# X's own numbers decide first, its words second. Of several the first in this table counts.
CODES: dict[int, tuple[Outcome, str, Fix]] = {
    135: (Outcome.BLOCKED, "clock", FIX_CLOCK),
    187: (Outcome.DUPLICATE, "duplicate", NO_FIX),
    186: (Outcome.REFUSED, "text-refused", NO_FIX),
    453: (Outcome.BLOCKED, "not-enrolled", FIX_PLAN),
    261: (Outcome.BLOCKED, "read-only-token", FIX_WRITE),
    226: (Outcome.BLOCKED, "looks-automated", FIX_ACCOUNT),
    326: (Outcome.BLOCKED, "locked", FIX_ACCOUNT),
    63: (Outcome.BLOCKED, "suspended", FIX_ACCOUNT),
    64: (Outcome.BLOCKED, "suspended", FIX_ACCOUNT),
    185: (Outcome.LATER, "daily-limit", NO_FIX),
    88: (Outcome.LATER, "rate-limited", NO_FIX),
    **dict.fromkeys((32, 89, 99, 215, 220), (Outcome.BLOCKED, "unauthorized", FIX_KEYS)),
}


def _known_code(data: dict[str, Any]) -> tuple[Outcome, str, Fix] | None:
    codes = _codes(data)
    return next((meaning for code, meaning in CODES.items() if code in codes), None)


def _limit_ends(reason: str, headers: Mapping[str, str], now: datetime) -> datetime:
    """Return the end of a limit that X names by a code: of a daily one X's midnight, unless the headers say.

    Each answer tells of a window of 15 minutes: with requests left in it, it says nothing of the day's limit.
    """
    if reason != "daily-limit" or _exhausted(headers, now) or _told_to_wait(headers, now):
        return retry_after(headers, now)
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + LONGEST_WAIT


def _read_forbidden(problem: str, messages: str, answer: Callable[..., SendResult]) -> SendResult:
    if "duplicate" in messages or "already said that" in messages:
        return answer(Outcome.DUPLICATE, "duplicate")
    if any(hint in messages for hint in ("cashtag", "invalid url", "invalid-url", "too long", "hashtag")):
        return answer(Outcome.REFUSED, "text-refused")
    for hint, reason, fix in (
        ("oauth1-permissions", "read-only-token", FIX_WRITE),
        ("client-forbidden", "not-enrolled", FIX_ENROL),
        ("client-not-enrolled", "not-enrolled", FIX_ENROL),
        ("unsupported-authentication", "app-only-token", FIX_USER_AUTH),
        ("automated", "looks-automated", FIX_ACCOUNT),
        ("suspended", "suspended", FIX_ACCOUNT),
    ):
        if hint in problem or hint in messages:
            return answer(Outcome.BLOCKED, reason, fix)
    return answer(Outcome.BLOCKED, problem or "forbidden", FIX_ACCOUNT)


# ---- other requests --------------------------------------------------------------------------------------


def read_delete(
    tweet_id: int, status: int, headers: Mapping[str, str], body: str, now: datetime
) -> SendResult:
    """Return the outcome of a DELETE: DONE if the tweet is deleted, now or before (404)."""
    data = json_object(body)
    inner = data.get("data") if data else None
    if status == 200 and isinstance(inner, dict) and inner.get("deleted") is True:
        return SendResult(Outcome.DONE, tweet_id=tweet_id, http_status=status)
    if status == 404 and data is not None:
        return SendResult(Outcome.DONE, tweet_id=tweet_id, http_status=status, reason="already-gone")
    if 200 <= status < 300:
        return _unknown(status, "not-deleted", "no trustworthy answer")
    return read_error(status, headers, body, now)


def read_timeline(
    status: int, headers: Mapping[str, str], body: str, now: datetime, count: int
) -> TimelineRead:
    """Return what a timeline shows. Healthy: 200, as many items as it says, no `errors`, and a right clock.

    An item without a numeric id or a text, or of a time that is still to come, is `odd` and left out.
    """
    data = json_object(body)
    if status != 200 or data is None:
        return TimelineRead(result=_read_no_timeline(status, headers, body, now))
    meta, items = data.get("meta"), data.get("data", [])
    shown = meta.get("result_count") if isinstance(meta, dict) else None
    listed = items if isinstance(items, list) else None
    latest = (server_time(headers) or now + LONGEST_WAIT) + CLOCK_TOLERANCE
    tweets = [_tweet(item) for item in listed or []]
    good = tuple(t for t in tweets if t is not None and snowflake_time(t.id) <= latest)
    odd = len(tweets) - len(good)
    healthy = listed is not None and type(shown) is int and shown == len(listed) and not data.get("errors")
    result = SendResult(Outcome.DONE, http_status=status)
    if not healthy:
        result = SendResult(Outcome.UNKNOWN, http_status=status, reason="malformed-timeline")
    elif clock_is_off(headers, now):  # evidence of absence goes by the clock
        healthy = False
        result = SendResult(Outcome.UNKNOWN, http_status=status, reason="clock", fix=FIX_CLOCK)
    more = isinstance(meta, dict) and bool(meta.get("next_token"))
    complete = healthy and not more and len(tweets) < max(5, count)
    return TimelineRead(good, healthy, complete, odd, _oldest(meta, good), more, result)


def _oldest(meta: object, tweets: Sequence[Tweet]) -> int:
    """Return the lowest id of a page, which X names also where no item could be understood; 0 for none."""
    told = _tweet_id({"data": {"id": meta.get("oldest_id")}}) if isinstance(meta, dict) else None
    return min([*(tweet.id for tweet in tweets), *([told] if told else [])], default=0)


def _read_no_timeline(status: int, headers: Mapping[str, str], body: str, now: datetime) -> SendResult:
    result = read_error(status, headers, body, now)
    if result.outcome in {Outcome.DUPLICATE, Outcome.REFUSED}:  # these are about texts, and none was sent
        return _unknown(status, f"http-{status}", "the timeline could not be read")
    return result


@dataclass(frozen=True, slots=True)
class Renewal:
    """X's answer to an exchange of tokens; `login` holds the new ones, or is None."""

    result: SendResult
    login: RenewableLogin | None = None


def read_renewal(
    status: int, headers: Mapping[str, str], body: str, now: datetime, before: RenewableLogin
) -> Renewal:
    """Return new tokens (DONE) or why there are none; BLOCKED means that a person has to log in again."""
    data = json_object(body)
    login = read_tokens(data, now, before) if status == 200 else None
    if login:
        return Renewal(SendResult(Outcome.DONE, http_status=status), login)
    if 200 <= status < 300 or data is None:
        return Renewal(_unknown(status, f"http-{status}", "no usable tokens in the answer"))
    if status not in {400, 401}:
        return Renewal(read_error(status, headers, body, now))
    # A tuple, because X's value may be one that a set cannot look up.
    client = status == 401 or data.get("error") in ("unauthorized_client", "invalid_client")
    return Renewal(
        SendResult(
            Outcome.BLOCKED,
            http_status=status,
            reason="client-refused" if client else "login-ended",
            detail=clip(_messages(data)),
            fix=FIX_CLIENT if client else FIX_LOGIN,
        )
    )


def read_tokens(
    data: Mapping[str, Any] | None, now: datetime, before: RenewableLogin
) -> RenewableLogin | None:
    """Return the login with the tokens of a renewal, or None if the answer does not hold two sound ones."""
    if data is None:
        return None
    try:
        life = timedelta(seconds=int(data["expires_in"]))
        scopes = str(data.get("scope", "")).split()
        access, refresh = checked(data["access_token"]), checked(data["refresh_token"])
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
    if not timedelta(0) < life < _LONGEST_LIFE:
        return None
    return replace(
        before,
        access=access,
        refresh=refresh,
        expires_at=now + life,
        issued_at=now,
        scopes=tuple(scopes) or before.scopes,
    )


def fix_for(result: SendResult, login: Login | None) -> Fix:
    """Return the fix that suits how this account got its tokens: from `.env` (None) or by a login."""
    refusal = (result.outcome, result.http_status, result.reason)
    again = command("login --oauth2" if isinstance(login, RenewableLogin) else "login")
    if login is None:
        return result.fix
    if refusal == (Outcome.BLOCKED, 403, "read-only-token"):
        return Fix("set the app to Read and write at https://developer.x.com, then log in again: ", again)
    if refusal == (Outcome.BLOCKED, 401, "unauthorized"):
        outage = "; if that was done just now, X may have an outage: the next runs try again by themselves"
        return Fix("log in again: ", again, outage)
    return result.fix


# ---- parts of an answer ----------------------------------------------------------------------------------


def _tweet(item: object) -> Tweet | None:
    if not isinstance(item, dict):
        return None
    tweet_id, text = _tweet_id({"data": item}), item.get("text")
    if tweet_id is None or not isinstance(text, str):
        return None
    return Tweet(tweet_id, text, _earlier_ids(tweet_id, item.get("edit_history_tweet_ids")))


def _earlier_ids(tweet_id: int, told: object) -> tuple[int, ...]:
    """Return the ids that a tweet had before its edits, oldest first; what is no older id counts for none."""
    ids = [_tweet_id({"data": {"id": one}}) for one in told] if isinstance(told, list) else []
    return tuple(sorted({one for one in ids if one is not None and one < tweet_id}))


def rate_limits(headers: Mapping[str, str], now: datetime) -> tuple[RateLimit, ...]:
    """Return the windows that X reported with usable numbers. Resets are at most 24 hours away."""
    found = []
    for name in _WINDOWS:
        limit, remaining, reset = (
            _number(headers.get(f"{name}-{part}")) for part in ("limit", "remaining", "reset")
        )
        if limit is not None and remaining is not None and reset is not None:
            found.append(RateLimit(name, limit, remaining, _clamp(reset, now)))
    return tuple(found)


def retry_after(headers: Mapping[str, str], now: datetime) -> datetime:
    """Return when a 429 ends (UTC): the latest of Retry-After and the resets of exhausted windows.

    Without any of them in 15 minutes; at most in 24 hours. Retry-After is a number of seconds or a date.
    """
    resets = _exhausted(headers, now)
    bare = _number(headers.get("x-rate-limit-reset"))
    if not resets and bare is not None:
        resets = [_clamp(bare, now)]
    told = _told_to_wait(headers, now)
    resets += [told] if told else []
    return max([*resets, now + timedelta(minutes=1)]) if resets else now + timedelta(minutes=15)


def _exhausted(headers: Mapping[str, str], now: datetime) -> list[datetime]:
    """Return when the windows reset in which no request is left."""
    return [window.reset for window in rate_limits(headers, now) if window.remaining <= 0]


def _told_to_wait(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """Return the end of the wait that a Retry-After header asks for, None where it cannot be read."""
    value = headers.get("Retry-After", "")
    seconds = _number(value)
    if seconds is None:
        ends = server_time({"Date": value})
        seconds = int((ends - (server_time(headers) or now)).total_seconds()) if ends else None
    return None if seconds is None else _clamp(int(now.timestamp()) + seconds, now)


def clock_is_off(headers: Mapping[str, str], now: datetime) -> bool:
    """Return whether X's Date header is more than five minutes from our clock."""
    server = server_time(headers)
    return server is not None and abs(server - now) > CLOCK_TOLERANCE


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """Return the time of X's Date header (UTC, also where it names no zone), None if it cannot be read."""
    try:
        server = email.utils.parsedate_to_datetime(headers.get("Date", ""))
        return (server if server.tzinfo else server.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _is_of_now(tweet_id: int, headers: Mapping[str, str], now: datetime) -> bool:
    """Return whether X can have made this tweet now: by its own clock, else within a day of ours."""
    server = server_time(headers)
    made = snowflake_time(tweet_id)
    return abs(made - server) <= CLOCK_TOLERANCE if server else abs(made - now) <= LONGEST_WAIT


def _clamp(reset: int, now: datetime) -> datetime:
    seconds = min(max(reset - now.timestamp(), 0), LONGEST_WAIT.total_seconds())
    return now + timedelta(seconds=seconds)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 20 else None


def json_object(body: str) -> dict[str, Any] | None:
    """Return a body as a JSON object, or None."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _tweet_id(data: dict[str, Any] | None) -> int | None:
    inner = data.get("data") if data else None
    value = inner.get("id") if isinstance(inner, dict) else None
    number = _number(value) if isinstance(value, str) else None
    return number if number is not None and 0 < number <= MAX_TWEET_ID else None


def _problem(data: dict[str, Any]) -> str:
    """Return the last part of the problem's type URI in lower case (the host in it has changed before)."""
    kind = data.get("type")
    return (
        clip(kind.rstrip("/").rpartition("/")[2].lower(), 60) if isinstance(kind, str) and "/" in kind else ""
    )


def _messages(data: dict[str, Any]) -> str:
    """Return every message of an error body, in one line."""
    parts = [data.get(key) for key in ("title", "detail", "reason", "error", "error_description")]
    errors = data.get("errors")
    for item in errors if isinstance(errors, list) else []:
        parts += [item.get("message"), item.get("detail")] if isinstance(item, dict) else [item]
        parts += (
            [f"code {item['code']}"] if isinstance(item, dict) and isinstance(item.get("code"), int) else []
        )
    return "; ".join(dict.fromkeys(part for part in parts if isinstance(part, str) and part))


def _codes(data: dict[str, Any]) -> set[object]:
    errors = data.get("errors")
    items = errors if isinstance(errors, list) else []
    return {item["code"] for item in items if isinstance(item, dict) and isinstance(item.get("code"), int)}


def _unknown(status: int, reason: str, detail: str) -> SendResult:
    return SendResult(Outcome.UNKNOWN, http_status=status, reason=reason, detail=detail, fix=FIX_LOOK)


def clip(text: str, limit: int = 200) -> str:
    """Return the start of a text, with spaces for characters that cannot be printed."""
    return "".join(c if c.isprintable() else " " for c in text[:limit])

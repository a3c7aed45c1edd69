"""tweepy behind a few calls, and the only place that reads X's answers and decides what they mean.

tweepy has no timeout, follows redirects (and re-POSTs), and its error constructors break on odd bodies. So
the session under it rewrites the host before signing, bounds every exchange, refuses redirects and keeps the
finished response; what tweepy raises afterwards does not matter, the response is judged by `read_send`.
Whatever is not provably unsent, refused or posted is UNKNOWN.
"""

from __future__ import annotations

import email.utils
import json
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
import tweepy
from requests.adapters import HTTPAdapter
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
)
from urllib3.util.retry import Retry

from src.config import Settings
from src.domain.answers import MAX_TWEET_ID, Outcome, RateLimit, SendResult, TimelineRead, Tweet
from src.domain.logins import PinLogin, RenewableLogin
from src.system import log
from src.system.failpoints import reach
from src.system.interrupts import hard_limit, signals_blocked
from src.system.log import Redactor
from src.x import credentials

MAX_BODY_BYTES = 1_000_000
LONGEST_WAIT = timedelta(hours=24)
CLOCK_TOLERANCE = timedelta(minutes=5)
TIMELINE_PAGE = 100
RENEWAL_TRIES = 2
_WINDOWS = ("x-rate-limit", "x-app-limit-24hour", "x-user-limit-24hour")
_NOTHING_LEFT = (NameResolutionError, NewConnectionError, ConnectTimeoutError, ssl.SSLCertVerificationError)

FIX_KEYS = (
    "make new keys at https://developer.x.com (your app, Keys and tokens) and put all four into .env; if they are"
    " right, X may have an outage: the next runs try again by themselves"
)
FIX_CLOCK = "set the clock of this machine (timedatectl set-ntp true): OAuth signatures carry the time"
FIX_CREDITS = "buy credits or raise the spending limit at https://developer.x.com (Billing)"
FIX_WRITE = "set the app to Read and write at https://developer.x.com, then regenerate the access token"
FIX_ENROL = "attach the app to a project with a pay-per-use package at https://developer.x.com"
FIX_USER_AUTH = "use the access token of the account (OAuth 1.0a), not an app-only bearer token"
FIX_CLIENT = "compare TWITTER_CLIENT_ID and TWITTER_CLIENT_SECRET in .env with https://developer.x.com (your app, Keys and tokens)"
FIX_ACCOUNT = (
    "log in to x.com with this account and clear what it shows (locked, suspended, not labelled Automated)"
)


class XSession(requests.Session):
    """A `requests` session for tweepy: our host, bounded time and size, one try, no redirects.

    `last` holds the response of the latest exchange once its body was read in full, else None.
    """

    def __init__(self, base_url: str, connect_seconds: float, read_seconds: float) -> None:
        super().__init__()
        self._base = urlsplit(base_url)
        self._timeouts = (connect_seconds, read_seconds)
        self.last: requests.Response | None = None
        adapter = HTTPAdapter(max_retries=Retry(0, redirect=0, read=False, status=0, other=0))
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        """Send one request to the configured host; raises `requests` exceptions or `DeadlineError`."""
        self.last = None
        self.close()  # a connection of its own: one kept from before may be closed already, and nobody knows what it took
        parts = urlsplit(str(url))
        target = urlunsplit((self._base.scheme, self._base.netloc, parts.path, parts.query, ""))
        options.update(timeout=self._timeouts, allow_redirects=False, stream=True)
        options["headers"] = {**(options.get("headers") or {}), "Connection": "close"}
        with hard_limit(sum(self._timeouts) + self._timeouts[1]):
            response = super().request(method, target, *args, **options)
            _read_body(response)
        self.last = response
        return response


def _read_body(response: requests.Response) -> None:
    body = b""
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            response.close()
            break
    response._content = body  # requests has no public way to keep a body that was read in parts


class XClient:
    """The account on X. No method raises for anything that X or the network does."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._settings, self._clock = settings, clock
        self._looked = False
        self._refusal: SendResult | None = None
        self._redact = Redactor(settings.secret_values())
        self._session = XSession(
            settings.x_api_base_url, settings.connect_timeout_seconds, settings.read_timeout_seconds
        )
        secrets = [
            getattr(settings, name)
            for name in (
                "twitter_api_key",
                "twitter_api_secret",
                "twitter_access_token",
                "twitter_access_token_secret",
            )
        ]
        key, secret, token, token_secret = (value.get_secret_value() if value else None for value in secrets)
        self.login = settings.login
        self.user_id = settings.account_id or (token or "").partition("-")[0]
        self._client = tweepy.Client(
            bearer_token=self.login.access if isinstance(self.login, RenewableLogin) else None,
            consumer_key=key,
            consumer_secret=secret,
            access_token=token,
            access_token_secret=token_secret,
            return_type=requests.Response,
            wait_on_rate_limit=False,
        )
        self._client.session = self._session

    @property
    def _signed(self) -> bool:
        """Whether requests are signed (OAuth 1.0a); otherwise they carry the OAuth 2.0 access token."""
        return not isinstance(self.login, RenewableLogin)

    def ready(self) -> SendResult | None:
        """Renew the login if that is due, once a run: None when requests may be made, otherwise why not.

        The caller holds the writer lock, and nothing is claimed yet. Raises `StorageError` if new tokens could not
        be kept; X is not asked for any where there is no room for them.
        """
        login = self.login
        if not isinstance(login, RenewableLogin) or self._looked:
            return self._refusal
        self._looked = True
        kept = credentials.load_for_writing(self._settings.credentials_file)
        if isinstance(kept, RenewableLogin):  # another run may have renewed it since ours read the settings
            self._use(login := kept)
        if credentials.renewal_due(login, self._clock(), timedelta(seconds=self._settings.deadline_seconds)):
            self._refusal = self._renew(login)
        return self._refusal

    def _use(self, login: RenewableLogin) -> None:
        log.keep_secret(login.secrets)
        self._redact.learn(login.secrets)
        self.login, self._client.bearer_token = login, login.access

    def _renew(self, login: RenewableLogin) -> SendResult | None:
        """Exchange the tokens for new ones, kept before they are used.

        Without a trustworthy answer X may have exchanged them already. Asking once more with the old token loses nothing:
        the new one is lost in that case anyway. The old access token serves as long as it lasts.
        """
        for _ in range(RENEWAL_TRIES):
            with signals_blocked():
                result, fresh = self._exchange_tokens(login)
            if result.outcome is not Outcome.UNKNOWN:
                break
        log.logger.log(
            logging.INFO if fresh else logging.WARNING,
            "login.renewed" if fresh else "login.not_renewed",
            extra={
                "outcome": result.outcome,
                "http_status": result.http_status,
                "reason": result.reason,
                "detail": result.detail,
            },
        )
        if fresh:
            self._use(fresh)
            return None
        if result.outcome is not Outcome.BLOCKED and self._clock() < login.expires_at:
            return None
        return (
            replace(result, fix="nothing to do: the next run tries again")
            if result.outcome is Outcome.UNKNOWN
            else result
        )

    def _exchange_tokens(self, login: RenewableLogin) -> tuple[SendResult, RenewableLogin | None]:
        """One request for new tokens; those that came are on the disk."""
        file = self._settings.credentials_file
        fresh: RenewableLogin | None = None

        def keep(status: int, headers: Mapping[str, str], body: str, now: datetime) -> SendResult:
            nonlocal fresh
            fresh = credentials.from_answer(_json_object(body), now, login) if status == 200 else None
            return read_renewal(status, headers, body, now, renewed=fresh is not None)

        credentials.reserve(file)
        result = self._exchange(lambda: self._ask_for_tokens(login), keep)
        if fresh:
            reach("tokens.rotated")
            credentials.save(file, fresh)
        else:
            credentials.release(file)
        return result, fresh

    def _ask_for_tokens(self, login: RenewableLogin) -> requests.Response:
        secret = self._settings.twitter_client_secret
        client_id = self._settings.twitter_client_id
        form = {"grant_type": "refresh_token", "refresh_token": login.refresh, "client_id": client_id}
        return self._session.request(
            "POST",
            "https://api.x.com/2/oauth2/token",
            data=form,
            auth=(client_id, secret.get_secret_value()) if secret else None,
        )

    def send(self, text: str) -> SendResult:
        """POST one tweet, once. The only call in the program that can make one."""
        return self._exchange(lambda: self._client.create_tweet(text=text, user_auth=self._signed), read_send)

    def delete(self, tweet_id: int) -> SendResult:
        """Delete one tweet. POSTED means that it is gone (`tweet_id` names it)."""
        if refused := self.ready():
            return refused
        return self._exchange(
            lambda: self._client.delete_tweet(tweet_id, user_auth=self._signed),
            lambda status, headers, body, now: read_delete(tweet_id, status, headers, body, now),
        )

    def timeline(self, since_id: int, count: int = TIMELINE_PAGE, until_id: int = 0) -> TimelineRead:
        """Our own newest tweets with ids above `since_id` (and below `until_id`): an owned read, billed per tweet returned."""
        if refused := self.ready():
            return TimelineRead(result=refused)
        read = TimelineRead()

        def keep(status: int, headers: Mapping[str, str], body: str, now: datetime) -> SendResult:
            nonlocal read
            read = read_timeline(status, headers, body, now, count)
            return read.result

        # exclude=None would still be sent; replies and retweets are ours too, so nothing is left out.
        result = self._exchange(
            lambda: self._client.get_users_tweets(
                self.user_id,
                since_id=since_id or None,
                until_id=until_id or None,
                max_results=max(5, count),
                user_auth=self._signed,
            ),
            keep,
        )
        return replace(read, result=result)

    def access_level(self) -> tuple[SendResult, str]:
        """What the token may do, from the header of a small owned read: `read-write` is what posting needs."""
        read = self.timeline(0, count=5)
        response = self._session.last
        return read.result, (response.headers.get("x-access-level", "") if response is not None else "")

    def _fix(self, result: SendResult) -> str:
        """The fix in words that fit how this account came by its tokens."""
        if self.login is None or result.fix not in {FIX_KEYS, FIX_WRITE}:
            return result.fix
        again = "`login`" if isinstance(self.login, PinLogin) else "`login --oauth2`"
        if result.fix == FIX_WRITE:
            return f"set the app to Read and write at https://developer.x.com, then log in again: {again}"
        return f"log in again: {again}; if that was done just now, X may have an outage: the next runs try again by themselves"

    def _answer(self) -> requests.Response | None:
        return self._session.last

    def _exchange(
        self, call: Callable[[], object], judge: Callable[[int, Mapping[str, str], str, datetime], SendResult]
    ) -> SendResult:
        self._session.last = None
        started = time.monotonic()
        failure: Exception | None = None
        try:
            call()
        except Exception as error:  # noqa: BLE001 (tweepy's own constructors fail in many ways; the response decides)
            failure = error
        latency = int((time.monotonic() - started) * 1000)
        response = self._answer()
        if response is None:
            return replace(read_failure(failure), latency_ms=latency)
        body = (response.content or b"").decode("utf-8", "replace")
        if (
            response.status_code >= 400
        ):  # only there are words kept, and a proxy may send our own headers back
            body = self._redact(body)
        result = judge(response.status_code, response.headers, body, self._clock())
        return replace(
            result,
            latency_ms=latency,
            http_status=response.status_code,
            reason=self._redact(result.reason),
            detail=self._redact(result.detail),
            fix=self._fix(result),
            transaction_id=self._redact(_clip(response.headers.get("x-transaction-id", ""), 64)),
            limits=rate_limits(response.headers, self._clock()),
        )


# ---- reading answers: pure functions, total over any status, headers and body --------------------------------


def read_failure(error: BaseException | None) -> SendResult:
    """An exchange without a whole response: NOT_SENT only if the connection was never made."""
    reason: BaseException | None = error
    if isinstance(error, requests.RequestException) and error.args:
        inner = error.args[0]
        reason = inner.reason if isinstance(inner, MaxRetryError) else error
    if isinstance(reason, ProxyError):
        reason = reason.original_error
    causes = [reason, *(getattr(reason, "args", ()) or ())]
    name = type(reason).__name__
    if isinstance(error, requests.ConnectTimeout) or any(isinstance(c, _NOTHING_LEFT) for c in causes):
        return SendResult(
            Outcome.NOT_SENT,
            reason=name,
            detail=_clip(str(reason)),
            fix="check the network and the name server of this machine; the next run tries again",
        )
    return SendResult(
        Outcome.UNKNOWN,
        reason=name,
        detail=_clip(str(reason)),
        fix="nothing to do: the next run looks on the timeline",
    )


def read_send(status: int, headers: Mapping[str, str], body: str, now: datetime) -> SendResult:
    """X's answer to a POST as one of seven outcomes. `now` is UTC; waits are at most 24 hours."""
    data = _json_object(body)
    if 200 <= status < 300:
        tweet_id = _tweet_id(data)
        if tweet_id is not None:
            return SendResult(Outcome.POSTED, tweet_id=tweet_id, http_status=status)
        return _unknown(status, "no-tweet-id", "success without a numeric tweet id")
    if data is None or not 400 <= status < 500:
        return _unknown(status, f"http-{status}", "no trustworthy answer")
    return _read_refusal(status, headers, data, now)


def read_renewal(
    status: int, headers: Mapping[str, str], body: str, now: datetime, *, renewed: bool
) -> SendResult:
    """X's answer to the exchange of tokens: POSTED stands for done, BLOCKED means that a person has to log in again."""
    data = _json_object(body)
    if renewed:
        return SendResult(Outcome.POSTED, http_status=status)
    if 200 <= status < 300 or data is None:
        return _unknown(status, f"http-{status}", "no usable tokens in the answer")
    if status not in {400, 401}:
        return read_send(status, headers, body, now)
    code = data.get("error")
    client = status == 401 or code in {"unauthorized_client", "invalid_client"}
    return SendResult(
        Outcome.BLOCKED,
        http_status=status,
        reason="client-refused" if client else "login-ended",
        detail=_clip(_words(data)),
        fix=FIX_CLIENT if client else credentials.FIX_LOGIN,
    )


def _read_refusal(status: int, headers: Mapping[str, str], data: dict[str, Any], now: datetime) -> SendResult:
    problem, words = _problem(data), _words(data)

    def answer(outcome: Outcome, reason: str, fix: str = "", until: datetime | None = None) -> SendResult:
        return SendResult(
            outcome, http_status=status, reason=reason, detail=_clip(words), fix=fix, until=until
        )

    match status:
        case 400:
            return answer(Outcome.REFUSED, problem or "invalid-request")
        case 401 if 135 in _codes(data) or clock_is_off(headers, now):
            return answer(Outcome.BLOCKED, "clock", FIX_CLOCK)
        case 401:
            return answer(Outcome.BLOCKED, "unauthorized", FIX_KEYS)
        case 402:
            return answer(Outcome.BLOCKED, "no-credits", FIX_CREDITS)
        case 403:
            return _read_forbidden(problem, words.lower(), answer)
        case 404:
            return answer(Outcome.BLOCKED, problem or "not-found", FIX_ACCOUNT)
        case 429:
            capped = "usage-capped" in problem or "usagecap" in words.lower().replace(" ", "")
            return answer(
                Outcome.LATER,
                "usage-capped" if capped else "rate-limited",
                FIX_CREDITS if capped else "",
                retry_after(headers, now),
            )
        case _:
            return answer(Outcome.UNKNOWN, f"http-{status}")


def _read_forbidden(problem: str, words: str, answer: Callable[..., SendResult]) -> SendResult:
    if "duplicate" in words or "already said that" in words:
        return answer(Outcome.DUPLICATE, "duplicate")
    if any(hint in words for hint in ("cashtag", "invalid url", "invalid-url", "too long", "hashtag")):
        return answer(Outcome.REFUSED, "text-refused")
    for hint, reason, fix in (
        ("oauth1-permissions", "read-only-token", FIX_WRITE),
        ("client-forbidden", "not-enrolled", FIX_ENROL),
        ("client-not-enrolled", "not-enrolled", FIX_ENROL),
        ("unsupported-authentication", "app-only-token", FIX_USER_AUTH),
        ("automated", "looks-automated", FIX_ACCOUNT),
        ("suspended", "suspended", FIX_ACCOUNT),
    ):
        if hint in problem or hint in words:
            return answer(Outcome.BLOCKED, reason, fix)
    return answer(Outcome.BLOCKED, problem or "forbidden", FIX_ACCOUNT)


def read_delete(
    tweet_id: int, status: int, headers: Mapping[str, str], body: str, now: datetime
) -> SendResult:
    """X's answer to a DELETE: POSTED means gone, 404 included."""
    data = _json_object(body)
    inner = data.get("data") if data else None
    if status == 200 and isinstance(inner, dict) and inner.get("deleted") is True:
        return SendResult(Outcome.POSTED, tweet_id=tweet_id, http_status=status)
    if status == 404 and data is not None:
        return SendResult(Outcome.POSTED, tweet_id=tweet_id, http_status=status, reason="already-gone")
    result = read_send(status, headers, body, now)
    return (
        _unknown(status, "not-deleted", "no trustworthy answer")
        if result.outcome is Outcome.POSTED
        else result
    )


def read_timeline(
    status: int, headers: Mapping[str, str], body: str, now: datetime, count: int
) -> TimelineRead:
    """A timeline answer. Healthy: 200, a count that fits the tweets, nothing under `errors`, all ids numeric."""
    data = _json_object(body)
    if status != 200 or data is None:
        result = read_send(status, headers, body, now)
        if result.outcome in {Outcome.POSTED, Outcome.DUPLICATE, Outcome.REFUSED}:
            result = _unknown(status, f"http-{status}", "the timeline could not be read")
        return TimelineRead(result=result)
    meta, items = data.get("meta"), data.get("data", [])
    shown = meta.get("result_count") if isinstance(meta, dict) else None
    tweets = [_tweet(item) for item in items] if isinstance(items, list) else [None]
    good = tuple(t for t in tweets if t is not None)
    healthy = type(shown) is int and shown == len(tweets) == len(good) and not data.get("errors")
    result = SendResult(
        Outcome.POSTED if healthy else Outcome.UNKNOWN,
        http_status=status,
        reason="" if healthy else "malformed-timeline",
    )
    more = isinstance(meta, dict) and bool(meta.get("next_token"))
    return TimelineRead(good, healthy, healthy and not more and len(good) < max(5, count), result)


def _tweet(item: object) -> Tweet | None:
    tweet_id = _tweet_id({"data": item})
    text = item.get("text") if isinstance(item, dict) else None
    return Tweet(tweet_id, text) if tweet_id is not None and isinstance(text, str) else None


def rate_limits(headers: Mapping[str, str], now: datetime) -> tuple[RateLimit, ...]:
    """The windows that X reported, those with unusable numbers left out. Resets are at most 24 hours away."""
    found = []
    for name in _WINDOWS:
        limit, remaining, reset = (
            _number(headers.get(f"{name}-{part}")) for part in ("limit", "remaining", "reset")
        )
        if limit is not None and remaining is not None and reset is not None:
            found.append(RateLimit(name, limit, remaining, _clamp(reset, now)))
    return tuple(found)


def retry_after(headers: Mapping[str, str], now: datetime) -> datetime:
    """When a 429 ends: the latest reset among the exhausted windows; 15 minutes where X does not say (UTC)."""
    resets = [w.reset for w in rate_limits(headers, now) if w.remaining <= 0]
    bare = _number(headers.get("x-rate-limit-reset"))
    if not resets and bare is not None:
        resets = [_clamp(bare, now)]
    return max([*resets, now + timedelta(minutes=1)]) if resets else now + timedelta(minutes=15)


def clock_is_off(headers: Mapping[str, str], now: datetime) -> bool:
    """Whether X's Date header is more than five minutes from our clock."""
    try:
        server = email.utils.parsedate_to_datetime(headers.get("Date", ""))
        return abs(server.astimezone(UTC) - now) > CLOCK_TOLERANCE
    except (TypeError, ValueError, OverflowError):
        return False


def _clamp(reset: int, now: datetime) -> datetime:
    seconds = min(max(reset - now.timestamp(), 0), LONGEST_WAIT.total_seconds())
    return now + timedelta(seconds=seconds)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 20 else None


def _json_object(body: str) -> dict[str, Any] | None:
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
    """The last part of the problem's type URI (the host in it has changed before), lower case."""
    kind = data.get("type")
    return (
        _clip(kind.rstrip("/").rpartition("/")[2].lower(), 60)
        if isinstance(kind, str) and "/" in kind
        else ""
    )


def _words(data: dict[str, Any]) -> str:
    """Everything a person could read in an error body, in one line."""
    parts = [data.get(key) for key in ("title", "detail", "reason", "error", "error_description")]
    errors = data.get("errors")
    for item in errors if isinstance(errors, list) else []:
        parts += [item.get("message"), item.get("detail")] if isinstance(item, dict) else [item]
        parts += (
            [f"code {item['code']}"] if isinstance(item, dict) and isinstance(item.get("code"), int) else []
        )
    return "; ".join(part for part in parts if isinstance(part, str) and part)


def _codes(data: dict[str, Any]) -> set[object]:
    errors = data.get("errors")
    items = errors if isinstance(errors, list) else []
    return {item["code"] for item in items if isinstance(item, dict) and isinstance(item.get("code"), int)}


def _unknown(status: int, reason: str, detail: str) -> SendResult:
    return SendResult(
        Outcome.UNKNOWN,
        http_status=status,
        reason=reason,
        detail=detail,
        fix="nothing to do: the next run looks on the timeline",
    )


def _clip(text: str, limit: int = 200) -> str:
    return "".join(c if c.isprintable() else " " for c in text[:limit])

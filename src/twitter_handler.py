"""The account on X: tweepy behind a few calls, over the bounded session of `x.session`.

A call returns what X's answer means (`x.responses`); what tweepy raises on the way does not matter.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import requests
import tweepy

from src.config import Settings
from src.domain.answers import Outcome, Profile, SendResult, TimelineRead
from src.domain.fixes import Fix
from src.domain.logins import RenewableLogin
from src.domain.results import Lookup
from src.system import log
from src.system.failpoints import reach
from src.system.interrupts import signals_blocked
from src.system.log import Redactor
from src.x import credentials, responses
from src.x.failures import read_failure
from src.x.profile import read_profile
from src.x.responses import Renewal
from src.x.results import read_lookup
from src.x.session import XSession

TIMELINE_PAGE = 100
RENEWAL_TRIES = 2
Judge = Callable[[int, Mapping[str, str], str, datetime], SendResult]


class XClient:
    """The account on X. No method raises for anything that X or the network does."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._settings, self._clock = settings, clock
        self._renewal_checked = False
        self._refusal: SendResult | None = None
        self._redact = Redactor(settings.secret_values())
        self._session = XSession(settings)
        secrets = (
            settings.twitter_api_key,
            settings.twitter_api_secret,
            settings.twitter_access_token,
            settings.twitter_access_token_secret,
        )
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

    # ---- requests -----------------------------------------------------------------------------------------

    def send(self, text: str) -> SendResult:
        """POST one tweet, once. The only call in the program that can make one."""
        return self._exchange(
            lambda: self._client.create_tweet(text=text, user_auth=self._signed), responses.read_send
        )

    def delete(self, tweet_id: int) -> SendResult:
        """Delete one tweet. DONE means that it is deleted; `tweet_id` names it."""
        if refused := self.ready():
            return refused
        return self._exchange(
            lambda: self._client.delete_tweet(tweet_id, user_auth=self._signed),
            lambda status, headers, body, now: responses.read_delete(tweet_id, status, headers, body, now),
        )

    def timeline(self, since_id: int, count: int = TIMELINE_PAGE, until_id: int = 0) -> TimelineRead:
        """Read our newest tweets with ids above `since_id` (and below `until_id`); X bills each of them."""
        if refused := self.ready():
            return TimelineRead(result=refused)
        read = TimelineRead()

        def judge(status: int, headers: Mapping[str, str], body: str, now: datetime) -> SendResult:
            nonlocal read
            read = responses.read_timeline(status, headers, body, now, count)
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
            judge,
        )
        return replace(read, result=result)

    def look_up(self, tweet_ids: Sequence[int]) -> Lookup:
        """Read the public figures of at most 100 of our tweets; X bills each that it shows.

        Apart from the reads that prove absence: a figure that X holds back comes as an error beside the data.
        """
        if refused := self.ready():
            return Lookup(result=refused)
        lookup = Lookup()

        def judge(status: int, headers: Mapping[str, str], body: str, now: datetime) -> SendResult:
            nonlocal lookup
            lookup = read_lookup(tweet_ids, status, headers, body, now)
            return lookup.result

        result = self._exchange(
            lambda: self._client.get_tweets(
                list(tweet_ids), tweet_fields=["public_metrics"], user_auth=self._signed
            ),
            judge,
        )
        return replace(lookup, result=result)

    def access_level(self) -> tuple[SendResult, str]:
        """Return the outcome of a small owned read, and the token's rights: posting needs `read-write`."""
        read = self.timeline(0, count=5)
        response = self._session.last
        return read.result, (response.headers.get("x-access-level", "") if response is not None else "")

    def profile(self) -> Profile:
        """Return the account's name and how many tweets it has, as far as X says so. X bills a user read."""
        profile = Profile()

        def judge(status: int, _headers: Mapping[str, str], body: str, _now: datetime) -> SendResult:
            nonlocal profile
            profile = read_profile(status, body)
            return SendResult(Outcome.DONE, http_status=status)

        fields = ["public_metrics"]
        self._exchange(lambda: self._client.get_me(user_fields=fields, user_auth=self._signed), judge)
        return profile

    def _exchange(self, call: Callable[[], object], judge: Judge) -> SendResult:
        """Make one request and return what its answer means, without secrets."""
        self._session.last, self._session.trace.sent = None, False
        started = time.monotonic()
        failure: Exception | None = None
        try:
            call()
        except Exception as error:  # noqa: BLE001 (tweepy's constructors fail in many ways; the response decides)
            failure = error
        latency = int((time.monotonic() - started) * 1000)
        response = self._answer()
        if response is None:
            result = read_failure(failure, sent=self._session.trace.sent)
            return replace(result, latency_ms=latency, detail=self._redact(result.detail))
        body = response.content.decode("utf-8", "replace")
        if (
            response.status_code >= 400
        ):  # only errors' messages are kept, and a proxy may repeat our own headers in them
            body = self._redact(body)
        result = judge(response.status_code, response.headers, body, self._clock())
        return replace(
            result,
            latency_ms=latency,
            http_status=response.status_code,
            reason=self._redact(result.reason),
            detail=self._redact(result.detail),
            fix=responses.fix_for(result, self.login),
            transaction_id=self._redact(responses.clip(response.headers.get("x-transaction-id", ""), 64)),
            limits=responses.rate_limits(response.headers, self._clock()),
        )

    def _answer(self) -> requests.Response | None:
        return self._session.last

    # ---- the login ----------------------------------------------------------------------------------------

    def ready(self) -> SendResult | None:
        """Renew the login if that is due, once per run; return None if requests may be made, else why not.

        The caller holds the writer lock, and nothing is claimed yet. Raises `StorageError` if new tokens
        cannot be kept; X is not asked for tokens if there is no room for them.
        """
        login = self.login
        if not isinstance(login, RenewableLogin) or self._renewal_checked:
            return self._refusal
        self._renewal_checked = True
        kept = credentials.load_for_writing(self._settings.credentials_file)
        if isinstance(
            kept, RenewableLogin
        ):  # another run may have renewed it since this one read the settings
            self._use(login := kept)
        if credentials.renewal_due(login, self._clock(), timedelta(seconds=self._settings.deadline_seconds)):
            self._refusal = self._renew(login)
        return self._refusal

    def _use(self, login: RenewableLogin) -> None:
        log.keep_secret(login.secrets)
        self._redact.learn(login.secrets)
        self.login, self._client.bearer_token = login, login.access

    def _renew(self, login: RenewableLogin) -> SendResult | None:
        """Exchange the tokens for new ones, which are on disk before they are used.

        Without a trustworthy answer X may have exchanged them already. A second try with the old token loses
        nothing: the new one is lost in that case anyway. The old access token serves until it expires.
        """
        for _ in range(RENEWAL_TRIES):
            with signals_blocked():
                renewal = self._exchange_tokens(login)
            if renewal.result.outcome is not Outcome.UNKNOWN:
                break
        _log_renewal(renewal)
        if renewal.login:
            self._use(renewal.login)
            return None
        result = renewal.result
        if result.outcome is not Outcome.BLOCKED and self._clock() < login.expires_at:
            return None
        if result.outcome is Outcome.UNKNOWN:
            return replace(result, fix=Fix("nothing to do: the next run tries again"))
        return result

    def _exchange_tokens(self, login: RenewableLogin) -> Renewal:
        """Ask once for new tokens; if they arrive, they are on disk when this returns."""
        file = self._settings.credentials_file
        renewal: Renewal | None = None

        def judge(status: int, headers: Mapping[str, str], body: str, now: datetime) -> SendResult:
            nonlocal renewal
            renewal = responses.read_renewal(status, headers, body, now, login)
            return renewal.result

        credentials.reserve(file)
        result = self._exchange(lambda: self._ask_for_tokens(login), judge)
        fresh = renewal.login if renewal else None
        if fresh:
            reach("tokens.rotated")
            credentials.save(file, fresh)
        else:
            credentials.release(file)
        return Renewal(result, fresh)

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


def _log_renewal(renewal: Renewal) -> None:
    result = renewal.result
    log.logger.log(
        logging.INFO if renewal.login else logging.WARNING,
        "login.renewed" if renewal.login else "login.not_renewed",
        extra={
            "outcome": result.outcome,
            "http_status": result.http_status,
            "reason": result.reason,
            "detail": result.detail,
        },
    )

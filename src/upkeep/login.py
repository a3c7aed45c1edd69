"""`login`: let the owner allow this program on x.com, and keep what X gives for it.

OAuth 1.0a shows the owner a number to type (tokens that do not expire); OAuth 2.0 with PKCE sends the owner's browser to
the app's callback address, which is pasted here (tokens that the runs renew). Nothing listens anywhere. The first half of
a login changes nothing; the tokens are written last, under the writer lock.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
import tweepy
from oauthlib.oauth2 import AccessDeniedError, MismatchingStateError, MissingCodeError, OAuth2Error
from requests_oauthlib.oauth1_session import TokenRequestDenied

from src import db_manager
from src.config import Settings
from src.domain.errors import AccountError, BusyError, ConfigError, ProgramError, TemporaryError, UsageError
from src.domain.logins import PinLogin, RenewableLogin
from src.posting.run import Clock
from src.system import log
from src.system.interrupts import hard_limit
from src.system.lock import sole_writer
from src.twitter_handler import FIX_CLIENT, XSession
from src.x import credentials
from src.x.claim import claim_account

LOCK_SECONDS = 60.0
_REAL_API = "https://api.x.com"
_FIX_APP = (
    "compare TWITTER_API_KEY and TWITTER_API_SECRET in .env with https://developer.x.com (your app, Keys and tokens), and see"
    " that the app has Read and write permission"
)
_FIX_AGAIN = "start `login` again; what X shows is good for a few minutes and for one use"


_FIX_CODE = f"{_FIX_AGAIN}; if it said 401, {FIX_CLIENT}"


def run(options: argparse.Namespace, settings: Settings, clock: Clock) -> tuple[object, str]:
    """Carry out one login; (data, text) for `show`. Raises `ProgramError`; then the tokens are as they were."""

    def tell(words: str) -> None:
        print(words, file=sys.stderr if options.json else sys.stdout, flush=True)

    login = _oauth2(settings, clock, tell) if options.oauth2 else _pin(settings, clock, tell)
    log.keep_secret(login.secrets)
    _keep(settings, login, clock)
    data = {"login": "oauth2" if options.oauth2 else "oauth1", "file": str(settings.credentials_file)}
    return (
        data,
        f"logged in; the tokens are in {settings.credentials_file}\n`check --online` proves that they may post",
    )


def _keep(settings: Settings, login: credentials.Login, clock: Clock) -> None:
    """Write the tokens, if they are of the account that this database belongs to, and let the next run try them."""
    account = settings.with_login(login)
    if settings.account_id not in {"", account.account_id} and settings.database.exists():
        message = "that is another account than the one this database has posts of"
        raise UsageError(
            message,
            "log in at x.com with the right account first, or give the other one a profile: --profile NAME",
        )
    claim_account(account)
    try:
        with sole_writer(settings.database, wait=LOCK_SECONDS, sleep=clock.sleep):
            _save(settings, login, clock)
    except BusyError as error:
        message = f"{error}; the tokens were not kept"
        raise TemporaryError(message, "wait for it to end, then start `login` again") from error


def _save(settings: Settings, login: credentials.Login, clock: Clock) -> None:
    """Write the tokens and lift a block. Call with the lock held."""
    credentials.reserve(settings.credentials_file)
    credentials.save(settings.credentials_file, login)
    log.logger.info("login.made", extra={"kind": "oauth2" if isinstance(login, RenewableLogin) else "oauth1"})
    if not settings.database.exists():
        return
    with contextlib.closing(db_manager.open_database(settings.database, clock.now())) as db:
        hold = db.notes.current_hold()
        if hold and hold.kind == "blocked":
            db.notes.clear_hold()


def _asked(question: str, tell: Callable[[str], None]) -> str:
    """One line that the owner types."""
    tell(question)
    answer = sys.stdin.readline(8192).strip() if sys.stdin else ""
    if not answer:
        message = "nothing was typed; nothing was changed"
        raise UsageError(message, _FIX_AGAIN)
    return answer


# ---- OAuth 1.0a ------------------------------------------------------------------------------------------------


class _PinHandler(tweepy.OAuth1UserHandler):  # type: ignore[misc]
    """tweepy's flow, at the configured address."""

    def __init__(self, base_url: str, key: str, secret: str) -> None:
        self._base_url = base_url
        super().__init__(key, secret, callback="oob")

    def _get_oauth_url(self, endpoint: str) -> str:
        return f"{self._base_url}/oauth/{endpoint}"


def _pin(settings: Settings, clock: Clock, tell: Callable[[str], None]) -> PinLogin:
    key, secret = settings.twitter_api_key, settings.twitter_api_secret
    if not (key and secret):
        message = "TWITTER_API_KEY and TWITTER_API_SECRET: not set"
        raise ConfigError(
            message, "fill in the two keys of your X app in .env (https://developer.x.com, Keys and tokens)"
        )
    handler = _PinHandler(settings.x_api_base_url, key.get_secret_value(), secret.get_secret_value())
    with _understood(settings, "X does not know this app", _FIX_APP):
        address = handler.get_authorization_url()
    tell(
        f"Open this address, signed in at x.com as the account that posts, and allow the app:\n\n  {log.sanitise(address)}\n"
    )
    pin = _asked("Then type the number that X shows:", tell)
    if not (pin.isascii() and pin.isalnum() and len(pin) <= 64):
        message = "that is not the number that X shows; nothing was changed"
        raise UsageError(message, _FIX_AGAIN)
    with _understood(settings, "X does not take this number", _FIX_AGAIN):
        token, token_secret = handler.get_access_token(pin)
        return PinLogin(credentials.checked(token), credentials.checked(token_secret), clock.now())


# ---- OAuth 2.0 -------------------------------------------------------------------------------------------------


class _CodeHandler(tweepy.OAuth2UserHandler):  # type: ignore[misc]
    """tweepy's flow, at the configured address, with bounded time and without redirects."""

    def __init__(self, settings: Settings) -> None:
        secret = settings.twitter_client_secret
        super().__init__(
            client_id=settings.twitter_client_id,
            redirect_uri=settings.twitter_redirect_uri,
            scope=list(credentials.SCOPES),
            client_secret=secret.get_secret_value() if secret else None,
        )
        self._settings = settings

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send one request to the configured host: here, because the libraries above refuse the plain http of a fake X on this machine."""
        base, asked = urlsplit(self._settings.x_api_base_url), urlsplit(str(request.url))
        request.url = urlunsplit((base.scheme, base.netloc, asked.path, asked.query, ""))
        options |= {
            "timeout": (self._settings.connect_timeout_seconds, self._settings.read_timeout_seconds),
            "allow_redirects": False,
        }
        response: requests.Response = super().send(request, **options)
        if response.status_code != 400:  # there X says in its body which of several things is wrong
            response.raise_for_status()
        return response


def _oauth2(settings: Settings, clock: Clock, tell: Callable[[str], None]) -> RenewableLogin:
    if not settings.twitter_client_id:
        message = "TWITTER_CLIENT_ID: not set"
        raise ConfigError(
            message,
            "fill it in in .env; it is at https://developer.x.com (your app, Keys and tokens, OAuth 2.0),"
            f" where {settings.twitter_redirect_uri} has to be a callback address of the app",
        )
    handler = _CodeHandler(settings)
    asked = urlsplit(handler.get_authorization_url())
    home = "https://x.com" if settings.x_api_base_url == _REAL_API else settings.x_api_base_url
    tell(
        f"Open this address, signed in at x.com as the account that posts, and allow the app:\n\n  {home}{asked.path}?{asked.query}\n\n"
        f"Your browser is then sent to {settings.twitter_redirect_uri}?..., where it may say that nothing answers: that is fine."
    )
    pasted = urlsplit(
        _asked("Copy that whole address from the browser's address line and paste it here:", tell)
    )
    if not pasted.query:
        message = "that is not the whole address (it holds `state=` and `code=`); nothing was changed"
        raise UsageError(message, _FIX_AGAIN)
    before = clock.now()
    handler.scope = (
        None  # otherwise rights that X left out end in a Warning that is raised; they are counted below
    )
    with _understood(settings, "X does not take this code", _FIX_CODE):
        given = handler.fetch_token(
            urlunsplit(pasted._replace(scheme="https"))
        )  # oauthlib takes no other; nothing is sent there
    scopes = tuple(given.get("scope") or credentials.SCOPES)
    if missing := set(credentials.SCOPES) - set(scopes):
        message = f"X did not allow {', '.join(sorted(missing))}; nothing was changed"
        raise AccountError(
            message,
            "give the app Read and write permission at https://developer.x.com, then start `login --oauth2` again",
        )
    with _understood(settings, "X does not tell which account this is", _FIX_AGAIN):
        user = _user_id(settings, credentials.checked(given["access_token"]))
        return RenewableLogin(
            given["access_token"],
            credentials.checked(given["refresh_token"]),
            before + timedelta(seconds=int(given["expires_in"])),
            before,
            user,
            scopes,
        )


def _user_id(settings: Settings, access: str) -> str:
    """The account's number, which owned reads need (one user read, $0.01)."""
    client = tweepy.Client(bearer_token=access, return_type=dict)
    client.session = XSession(
        settings.x_api_base_url, settings.connect_timeout_seconds, settings.read_timeout_seconds
    )
    answer = client.get_me(user_auth=False)
    return credentials.account_number(answer["data"]["id"])


# ---- what went wrong -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _understood(settings: Settings, refused: str, fix: str) -> Iterator[None]:
    """Bound one half of a login in time, and turn what the libraries raise into `ProgramError`. No words of X's are repeated: they may hold tokens."""
    limit = settings.connect_timeout_seconds + 2 * settings.read_timeout_seconds
    try:
        with hard_limit(limit):
            yield
    except ProgramError:
        raise
    except Exception as error:  # noqa: BLE001 (three libraries, each with its own kinds)
        raise _trouble(_inner(error), refused, fix) from None


def _inner(error: BaseException) -> BaseException:
    """Undo tweepy's wrapping of what went wrong, sometimes twice."""
    while type(error) is tweepy.TweepyException and error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    return error


def _trouble(error: BaseException, refused: str, fix: str) -> ProgramError:
    kind = type(error).__name__
    if isinstance(error, AccessDeniedError):
        return AccountError(
            "the app was not allowed on x.com; nothing was changed",
            "start `login --oauth2` again and allow it",
        )
    if isinstance(error, MismatchingStateError):
        return AccountError(
            "that address is not of this login (its `state` is another); nothing was changed",
            "open the address printed last, and paste where that one led you",
        )
    if isinstance(error, MissingCodeError):
        return UsageError("there is no `code=` in that address; nothing was changed", _FIX_AGAIN)
    status = _status(error)
    if isinstance(error, OAuth2Error) and error.error in {"unauthorized_client", "invalid_client"}:
        return AccountError(f"X does not know this client ({error.error}); nothing was changed", FIX_CLIENT)
    answered = isinstance(error, OAuth2Error) and error.error in {
        "invalid_request",
        "invalid_grant",
        "invalid_scope",
    }
    if answered or status in {400, 401, 403}:
        return AccountError(f"{refused} ({status or kind}); nothing was changed", fix)
    said = f"X answered {status}" if status else f"X gave no usable answer ({kind})"
    return TemporaryError(
        f"{said}; nothing was changed", "check the network, and start `login` again in a few minutes"
    )


def _status(error: BaseException) -> int:
    if isinstance(error, TokenRequestDenied):
        return int(error.status_code)
    response = getattr(error, "response", None)
    return response.status_code if isinstance(response, requests.Response) else 0

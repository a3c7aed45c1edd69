"""The two OAuth flows by which the owner allows this program to post: `PinFlow` and `CodeFlow`.

A flow first gives the address that the owner opens, and then exchanges what X shows there for tokens. Nothing
is kept here. Errors never repeat a message of X's, because it may hold tokens.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import requests
import tweepy
from oauthlib.oauth2 import AccessDeniedError, MismatchingStateError, MissingCodeError, OAuth2Error
from requests_oauthlib import OAuth1Session
from requests_oauthlib.oauth1_session import TokenRequestDenied

from src.config import Settings
from src.domain.errors import AccountError, ConfigError, ProgramError, TemporaryError, UsageError
from src.domain.fixes import Fix, command, env_file
from src.domain.logins import PinLogin, RenewableLogin
from src.system.interrupts import hard_limit
from src.x import account_name, credentials
from src.x.responses import FIX_CLIENT
from src.x.session import XSession

_REAL_API = "https://api.x.com"
FIX_AGAIN = Fix("start ", command("login"), " again; what X shows is good for a few minutes and for one use")
_FIX_CODE = Fix(FIX_AGAIN, "; if it said 401, ", FIX_CLIENT)
_FIX_APP = Fix(
    "compare TWITTER_API_KEY and TWITTER_API_SECRET in ",
    env_file(),
    " with https://developer.x.com (your app, Keys and tokens), and see that the app has Read and write"
    " permission",
)


# ---- OAuth 1.0a ------------------------------------------------------------------------------------------


class PinFlow:
    """OAuth 1.0a: X shows the owner a number, which is exchanged for tokens that do not expire."""

    def __init__(self, settings: Settings) -> None:
        key, secret = settings.twitter_api_key, settings.twitter_api_secret
        if not (key and secret):
            message = "TWITTER_API_KEY and TWITTER_API_SECRET: not set"
            raise ConfigError(
                message,
                Fix(
                    "fill in the two keys of your X app in ",
                    env_file(),
                    " (https://developer.x.com, Keys and tokens)",
                ),
            )
        self._settings = settings
        self._handler = _PinHandler(
            settings.x_api_base_url, key.get_secret_value(), secret.get_secret_value()
        )

    def address(self) -> str:
        """Ask X for the address that the owner opens."""
        with _translated(self._settings, "X does not know this app", _FIX_APP):
            return str(self._handler.get_authorization_url())

    @property
    def account_name(self) -> str:
        """Return the name of the account that logged in, empty where X did not tell it."""
        return account_name.checked(self._handler.screen_name)

    def login(self, pin: str, now: datetime) -> PinLogin:
        """Exchange the number that X showed for tokens."""
        with _translated(self._settings, "X does not take this number", FIX_AGAIN):
            token, token_secret = self._handler.get_access_token(pin)
            return PinLogin(credentials.checked(token), credentials.checked(token_secret), now)


class _PinHandler(tweepy.OAuth1UserHandler):  # type: ignore[misc]
    """tweepy's flow, at the configured host. It keeps the account's name, which tweepy drops."""

    def __init__(self, base_url: str, key: str, secret: str) -> None:
        self._base_url = base_url
        self.screen_name = ""
        super().__init__(key, secret, callback="oob")

    def get_access_token(self, verifier: str) -> tuple[str, str]:
        """Exchange the number that X showed; return the token and its secret."""
        session = OAuth1Session(
            self.consumer_key,
            client_secret=self.consumer_secret,
            resource_owner_key=self.request_token["oauth_token"],
            resource_owner_secret=self.request_token["oauth_token_secret"],
            verifier=verifier,
            callback_uri=self.callback,
        )
        given = session.fetch_access_token(self._get_oauth_url("access_token"))
        self.screen_name = given.get("screen_name", "")
        return given["oauth_token"], given["oauth_token_secret"]

    def _get_oauth_url(self, endpoint: str) -> str:
        return f"{self._base_url}/oauth/{endpoint}"


# ---- OAuth 2.0 -------------------------------------------------------------------------------------------


class CodeFlow:
    """OAuth 2.0 with PKCE: the address that the browser is sent to is exchanged for tokens that expire."""

    def __init__(self, settings: Settings) -> None:
        if not settings.twitter_client_id:
            message = "TWITTER_CLIENT_ID: not set"
            raise ConfigError(
                message,
                Fix(
                    "fill it in in ",
                    env_file(),
                    "; it is at https://developer.x.com (your app, Keys and tokens, OAuth 2.0), where"
                    f" {settings.twitter_redirect_uri} has to be a callback address of the app",
                ),
            )
        self._settings = settings
        self._handler = _CodeHandler(settings)
        self.account_name = ""  # known after the login

    def address(self) -> str:
        """Return the address that the owner opens."""
        real = self._settings.x_api_base_url == _REAL_API
        home = "https://x.com" if real else self._settings.x_api_base_url
        asked = urlsplit(self._handler.get_authorization_url())
        return f"{home}{asked.path}?{asked.query}"

    def login(self, led_to: SplitResult, now: datetime) -> RenewableLogin:
        """Exchange the address that the browser was sent to for tokens. `now` is the time before."""
        given = self._fetch_tokens(led_to)
        scopes = tuple(given.get("scope") or credentials.SCOPES)
        if missing := set(credentials.SCOPES) - set(scopes):
            message = f"X did not allow {', '.join(sorted(missing))}; nothing was changed"
            raise AccountError(
                message,
                Fix(
                    "give the app Read and write permission at https://developer.x.com, then start ",
                    command("login --oauth2"),
                    " again",
                ),
            )
        with _translated(self._settings, "X does not tell which account this is", FIX_AGAIN):
            access = credentials.checked(given["access_token"])
            user, self.account_name = _user(self._settings, access)
            refresh = credentials.checked(given["refresh_token"])
            expires_at = now + timedelta(seconds=int(given["expires_in"]))
            return RenewableLogin(access, refresh, expires_at, now, user, scopes)

    def _fetch_tokens(self, led_to: SplitResult) -> dict[str, Any]:
        # With a scope set, rights that X left out end in a Warning that is raised; `login` counts them.
        self._handler.scope = None
        address = urlunsplit(
            led_to._replace(scheme="https")
        )  # oauthlib takes no other; nothing is sent there
        with _translated(self._settings, "X does not take this code", _FIX_CODE):
            given: dict[str, Any] = self._handler.fetch_token(address)
            return given


class _CodeHandler(tweepy.OAuth2UserHandler):  # type: ignore[misc]
    """tweepy's flow, at the configured host, with bounded time and without redirects."""

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
        """Send one request to the configured host.

        The host is replaced this late because the libraries above refuse the plain http of a fake X.
        """
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


def _user(settings: Settings, access: str) -> tuple[str, str]:
    """Ask X for the account's number, which owned reads need, and its name (one user read, $0.01)."""
    client = tweepy.Client(bearer_token=access, return_type=dict)
    client.session = XSession(settings)
    answer = client.get_me(user_auth=False)
    number = credentials.account_number(answer["data"]["id"])
    return number, account_name.checked(answer["data"].get("username"))


# ---- errors ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _translated(settings: Settings, refused: str, fix: Fix) -> Iterator[None]:
    """Bound one half of a login in time, and raise what the libraries raise as `ProgramError`."""
    limit = settings.connect_timeout_seconds + 2 * settings.read_timeout_seconds
    try:
        with hard_limit(limit):
            yield
    except ProgramError:
        raise
    except Exception as error:  # noqa: BLE001 (three libraries, each with its own kinds)
        raise _as_program_error(_cause(error), refused, fix) from None


def _cause(error: BaseException) -> BaseException:
    """Return the error that tweepy wrapped, sometimes twice."""
    while type(error) is tweepy.TweepyException and error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    return error


def _as_program_error(error: BaseException, refused: str, fix: Fix) -> ProgramError:
    if isinstance(error, AccessDeniedError):
        return AccountError(
            "the app was not allowed on x.com; nothing was changed",
            Fix("start ", command("login --oauth2"), " again and allow it"),
        )
    if isinstance(error, MismatchingStateError):
        return AccountError(
            "that address is not of this login (its `state` is another); nothing was changed",
            Fix("open the address printed last, and paste where that one led you"),
        )
    if isinstance(error, MissingCodeError):
        return UsageError("there is no `code=` in that address; nothing was changed", FIX_AGAIN)
    code = error.error if isinstance(error, OAuth2Error) else None  # any JSON value, so no set can look it up
    if code in ("unauthorized_client", "invalid_client"):
        return AccountError(f"X does not know this client ({code}); nothing was changed", FIX_CLIENT)
    status, kind = _status(error), type(error).__name__
    if code in ("invalid_request", "invalid_grant", "invalid_scope") or status in {400, 401, 403}:
        return AccountError(f"{refused} ({status or kind}); nothing was changed", fix)
    answer = f"X answered {status}" if status else f"X gave no usable answer ({kind})"
    return TemporaryError(
        f"{answer}; nothing was changed",
        Fix("check the network, and start ", command("login"), " again in a few minutes"),
    )


def _status(error: BaseException) -> int:
    if isinstance(error, TokenRequestDenied):
        return int(error.status_code)
    response = getattr(error, "response", None)
    return response.status_code if isinstance(response, requests.Response) else 0

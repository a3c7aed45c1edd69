"""The HTTP session under tweepy: bounded in time and size, one try, no redirects.

tweepy sets no timeout, follows redirects (and repeats the POST there), and its error constructors fail on odd
bodies. This session changes the host of a request before it is signed, bounds every exchange and keeps the
finished response. `twitter_handler` judges that response, whatever tweepy raises afterwards.
"""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
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
from src.domain.answers import Outcome, SendResult
from src.domain.fixes import Fix
from src.system.interrupts import hard_limit
from src.x.responses import FIX_LOOK, clip

MAX_BODY_BYTES = 1_000_000
_NOTHING_LEFT = (NameResolutionError, NewConnectionError, ConnectTimeoutError, ssl.SSLCertVerificationError)


class XSession(requests.Session):
    """A `requests` session for tweepy that talks to one host only.

    `last` is the response of the latest exchange once its body was read in full, else None.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._base = urlsplit(settings.x_api_base_url)
        self._timeouts = (settings.connect_timeout_seconds, settings.read_timeout_seconds)
        self.last: requests.Response | None = None
        adapter = HTTPAdapter(max_retries=Retry(0, redirect=0, read=False, status=0, other=0))
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        """Send one request to the configured host. Raises `requests` exceptions or `DeadlineError`."""
        self.last = None
        # A kept connection may be closed already, and then nobody knows what X received: use a new one.
        self.close()
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


def read_failure(error: BaseException | None) -> SendResult:
    """Judge an exchange that has no whole response: NOT_SENT only if the connection was never made."""
    reason: BaseException | None = error
    if isinstance(error, requests.RequestException) and error.args:
        inner = error.args[0]
        reason = inner.reason if isinstance(inner, MaxRetryError) else error
    if isinstance(reason, ProxyError):
        reason = reason.original_error
    causes = [reason, *(getattr(reason, "args", ()) or ())]
    name, detail = type(reason).__name__, clip(str(reason))
    if isinstance(error, requests.ConnectTimeout) or any(isinstance(c, _NOTHING_LEFT) for c in causes):
        fix = Fix("check the network and the name server of this machine; the next run tries again")
        return SendResult(Outcome.NOT_SENT, reason=name, detail=detail, fix=fix)
    return SendResult(Outcome.UNKNOWN, reason=name, detail=detail, fix=FIX_LOOK)

"""The HTTP session under tweepy: bounded in time and size, one try, no redirects.

tweepy sets no timeout, follows redirects (and repeats the POST there), and its error constructors fail on odd
bodies. This session changes the host of a request before it is signed, bounds every exchange and keeps the
finished response. `twitter_handler` judges that response, whatever tweepy raises afterwards.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests

from src.config import Settings
from src.system.interrupts import hard_limit
from src.x.transport import Trace, TracingAdapter

MAX_BODY_BYTES = 1_000_000


class XSession(requests.Session):
    """A `requests` session for tweepy that talks to one host only.

    `last` is the response of the latest exchange once its body was read in full, else None; `trace` tells
    whether a byte of its request may have left. `~/.netrc` is never read.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._base = urlsplit(settings.x_api_base_url)
        self._timeouts = (settings.connect_timeout_seconds, settings.read_timeout_seconds)
        self.last: requests.Response | None = None
        self.trace = Trace()
        self.auth = _as_it_is  # without any, requests looks into ~/.netrc and replaces a bearer token
        adapter = TracingAdapter(self.trace)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        """Send one request to the configured host. Raises `requests` exceptions or `DeadlineError`."""
        self.last, self.trace.sent = None, False
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


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _read_body(response: requests.Response) -> None:
    body = b""
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            response.close()
            break
    response._content = body  # requests has no public way to keep a body that was read in parts

"""What an exchange without a whole response means: whether the request left this machine, and what to fix.

The request is NOT_SENT only while no byte of it was handed to a connected socket; `x.transport` records that.
The table words the fix; it decides nothing about the outcome.
"""

from __future__ import annotations

import errno
import re
import ssl

import requests
from requests import exceptions as http
from urllib3 import exceptions as pool

from src.domain.answers import Outcome, SendResult
from src.domain.errors import DeadlineError
from src.domain.fixes import Fix, command, env_file
from src.system import machine
from src.x.responses import FIX_LOOK, clip

FIX_NETWORK = Fix("check the network and the name server of this machine; the next run tries again")
FIX_TLS = Fix(
    "check the clock of this machine; behind a proxy or firewall that opens TLS, name a file with its"
    " certificate in REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE (SSL_CERT_FILE and SSL_CERT_DIR are not read)"
)
FIX_BUNDLE = Fix(
    "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names a file of certificates that cannot be read: correct it or"
    " leave it out"
)
FIX_PROXY = Fix("check the proxy that HTTPS_PROXY or ALL_PROXY names, its name and its password")
FIX_SOCKS = Fix(
    "HTTPS_PROXY or ALL_PROXY names a kind of proxy that is not supported: use an http:// one, or install"
    " PySocks"
)
FIX_ADDRESS = Fix("check X_API_BASE_URL in ", env_file(), ", or leave it out")
FIX_SIGNING = Fix("no request was made: ", command("check"), " looks at the keys in ", env_file())

# The nearest class of an exception decides. A test walks the trees of requests and urllib3.
FIXES: dict[type[BaseException], Fix] = {
    http.ConnectTimeout: FIX_NETWORK,
    http.Timeout: FIX_NETWORK,
    http.ConnectionError: FIX_NETWORK,
    http.ProxyError: FIX_PROXY,
    http.InvalidProxyURL: FIX_PROXY,
    http.SSLError: FIX_TLS,
    http.InvalidSchema: FIX_SOCKS,
    http.MissingSchema: FIX_ADDRESS,
    http.InvalidURL: FIX_ADDRESS,
    http.URLRequired: FIX_ADDRESS,
    http.InvalidHeader: FIX_SIGNING,
    http.InvalidJSONError: FIX_SIGNING,
    http.HTTPError: FIX_NETWORK,
    http.TooManyRedirects: FIX_NETWORK,
    http.ChunkedEncodingError: FIX_NETWORK,
    http.ContentDecodingError: FIX_NETWORK,
    http.StreamConsumedError: FIX_NETWORK,
    http.RetryError: FIX_NETWORK,
    http.UnrewindableBodyError: FIX_NETWORK,
    pool.NameResolutionError: FIX_NETWORK,
    pool.NewConnectionError: FIX_NETWORK,
    pool.ConnectTimeoutError: FIX_NETWORK,
    pool.TimeoutError: FIX_NETWORK,
    pool.TimeoutStateError: FIX_NETWORK,
    pool.SSLError: FIX_TLS,
    pool.ProxyError: FIX_PROXY,
    pool.ProxySchemeUnknown: FIX_SOCKS,
    pool.ProxySchemeUnsupported: FIX_SOCKS,
    pool.URLSchemeUnknown: FIX_SOCKS,
    pool.LocationValueError: FIX_ADDRESS,
    pool.PoolError: FIX_NETWORK,
    pool.ProtocolError: FIX_NETWORK,
    pool.IncompleteRead: FIX_NETWORK,
    pool.InvalidChunkLength: FIX_NETWORK,
    pool.InvalidHeader: FIX_NETWORK,
    pool.HTTPWarning: FIX_NETWORK,
    pool.ResponseError: FIX_NETWORK,
    pool.ResponseNotChunked: FIX_NETWORK,
    pool.BodyNotHttplibCompatible: FIX_NETWORK,
    pool.DecodeError: FIX_NETWORK,
    pool.HeaderParsingError: FIX_NETWORK,
    pool.UnrewindableBodyError: FIX_NETWORK,
    ssl.SSLError: FIX_TLS,
    DeadlineError: FIX_NETWORK,
    OSError: FIX_NETWORK,
    MemoryError: machine.FIX_MEMORY,
    TypeError: FIX_SIGNING,
    ValueError: FIX_SIGNING,
}
_FILE_ERRORS = {errno.EACCES, errno.EPERM, errno.ENOENT, errno.EISDIR}
_LOGIN_OF_PROXY = re.compile(r"(?<=://)[^/@\s]*@")
_DEEPEST = 8  # causes looked through


def read_failure(error: BaseException | None, *, sent: bool) -> SendResult:
    """Return the outcome of an exchange without a whole response; `sent`: a byte of it may have left."""
    cause = _causes(error)[-1]
    name, detail = type(cause).__name__, clip(_LOGIN_OF_PROXY.sub("***@", str(cause)))
    if sent:
        return SendResult(Outcome.UNKNOWN, reason=name, detail=detail, fix=FIX_LOOK)
    return SendResult(Outcome.NOT_SENT, reason=name, detail=detail, fix=fix_for_failure(error))


def fix_for_failure(error: BaseException | None) -> Fix:
    """Return what the owner can do about an exchange that never left. The innermost known cause decides."""
    causes = _causes(error)
    for cause in causes:
        if isinstance(cause, http.ProxyError | pool.ProxyError | http.InvalidProxyURL):
            return FIX_PROXY  # whatever went wrong on the way to it
    for cause in reversed(causes):
        if isinstance(cause, OSError) and cause.errno in machine.FIXES:
            return machine.FIXES[cause.errno]
    innermost = causes[-1]
    if type(innermost) is OSError and innermost.errno is None:
        return FIX_BUNDLE  # requests raises a bare one for a bundle of certificates that is not there
    of_tls = any(isinstance(cause, pool.SSLError) for cause in causes)
    if isinstance(innermost, ssl.SSLError):  # an OSError too, whose number is none of the system's
        return FIX_TLS
    if of_tls and isinstance(innermost, OSError) and innermost.errno in _FILE_ERRORS:
        return FIX_BUNDLE
    return _of_class(type(innermost))


def _of_class(kind: type[BaseException]) -> Fix:
    return next((FIXES[base] for base in kind.__mro__ if base in FIXES), FIX_NETWORK)


def _causes(error: BaseException | None) -> list[BaseException]:
    """Return the exception and what it wraps, the innermost last."""
    causes: list[BaseException] = [error if error is not None else requests.ConnectionError("no response")]
    while len(causes) < _DEEPEST and (inner := _inner(causes[-1])) is not None:
        causes.append(inner)
    return causes


def _inner(error: BaseException) -> BaseException | None:
    named = (getattr(error, name, None) for name in ("reason", "original_error", "__cause__"))
    candidates = (*named, *error.args)
    return next((c for c in candidates if isinstance(c, BaseException)), None)

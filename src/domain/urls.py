"""Addresses of other machines that settings name."""

from __future__ import annotations

from urllib.parse import urlsplit

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def require_secure(url: str, *, path_allowed: bool) -> str:
    """Return a base address without a final slash. Raises `ValueError` unless it is https or loopback."""
    parts = urlsplit(url)
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    has_path = bool(parts.path.strip("/"))
    if not (secure and parts.hostname) or parts.query or parts.username or (has_path and not path_allowed):
        message = "must be https://HOST (plain http only to 127.0.0.1), without a path"
        if path_allowed:
            message = "must be https://HOST, or https://HOST/PATH for a mirror (plain http only to 127.0.0.1)"
        raise ValueError(message)
    return url.rstrip("/")

"""The dead-man's switch: a ping at the start and at the end of each run, never more than five seconds."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from src.config import Settings
from src.domain.errors import DeadlineError
from src.system.interrupts import hard_limit
from src.system.log import logger

PING_SECONDS = 5.0
_BODY_BYTES = 10_000


def ping(settings: Settings, suffix: str = "", body: str = "") -> bool:
    """Ping PING_URL (`suffix`: "/start", nothing, or "/fail") and return whether it accepted. Never raise."""
    if not settings.ping_url:
        return False
    import requests  # noqa: PLC0415 (a run without a ping never loads it)

    url = address(settings.ping_url.get_secret_value(), suffix)
    try:
        with hard_limit(PING_SECONDS):
            return requests.post(
                url,
                data=body.encode()[:_BODY_BYTES],
                timeout=PING_SECONDS,
                allow_redirects=False,
                auth=lambda request: request,  # without any, requests looks into ~/.netrc
            ).ok
    except (DeadlineError, Exception) as error:  # noqa: BLE001 (a failed ping must never change the run)
        logger.warning("ping.failed", extra={"error": type(error).__name__})
        return False


def address(url: str, suffix: str) -> str:
    """Return the address with the suffix at the end of its path, before a query such as `?create=1`."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + suffix))

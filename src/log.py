"""Structured logs: one JSON object a line, a file for everything and one for trouble, never a secret.

`twitter_manager.log` holds everything from LOG_LEVEL up, `error.log` warnings and up. Each line has the time
(UTC), level, event name, run id and the fields of the event. A folder that cannot be written never stops a run.
"""

from __future__ import annotations

import base64
import logging
import logging.handlers
import os
import re
import sys
import traceback
import unicodedata
from collections.abc import Iterable
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from urllib.parse import quote, quote_plus

from pythonjsonlogger.json import JsonFormatter

ALL_FILE = "twitter_manager.log"
ERROR_FILE = "error.log"
MAX_BYTES = 2_000_000
KEEP_FILES = 5
_PREFIX_LENGTH = 8
# At DEBUG these print tokens and whole Authorization headers.
_TALKATIVE = ("tweepy", "requests_oauthlib", "oauthlib", "urllib3", "requests", "asyncio")

logger = logging.getLogger("twitter_manager")


class Redactor:
    """Replaces known secrets, and their quoted, base64 and cut-off forms, by `***`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms: set[str] = set()
        for secret in filter(None, secrets):
            raw = secret.encode()
            forms |= {secret, quote(secret, safe=""), quote_plus(secret), base64.b64encode(raw).decode().rstrip("=")}
            if len(secret) >= 2 * _PREFIX_LENGTH:
                forms.add(secret[:_PREFIX_LENGTH])
        ordered = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub("***", text) if self._pattern else text


def sanitise(text: str) -> str:
    """`text` fit for a terminal or a log: control, bidirectional and other invisible characters become escapes."""
    return "".join(c if c == " " or unicodedata.category(c)[0] not in "CZ" else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode() if ord(character) > 0x1F else f"\\x{ord(character):02x}"


class _Formatter(JsonFormatter):
    def __init__(self, run_id: str, redactor: Redactor) -> None:
        super().__init__(
            "{levelname}{message}", style="{", timestamp="time", json_ensure_ascii=True,
            rename_fields={"levelname": "level", "message": "event"}, static_fields={"run": run_id},
        )
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return self._redactor(super().format(record))

    def formatException(self, ei: object) -> str:  # noqa: N802 (logging's name)
        return format_error(sys.exc_info()[1]) if not isinstance(ei, tuple) else format_error(ei[1])


def format_error(error: BaseException | None) -> str:
    """A traceback as text, without local variables: they hold secrets."""
    return "".join(traceback.format_exception(error)) if error else ""


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """A rotating file of mode 0600 whose troubles are counted, not raised: a full disk must not stop a post."""

    failures = 0

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        return open(descriptor, "a", encoding="utf-8")  # noqa: PTH123 (a descriptor that the handler closes)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        type(self).failures += 1


def set_up(folder: Path, level: str, run_id: str, redactor: Redactor) -> str:
    """Start logging into `folder`. Empty on success, otherwise why the files cannot be written."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logger.handlers.clear()
    logger.propagate = False
    logger.setLevel(level)
    formatter = _Formatter(run_id, redactor)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, lowest in ((ALL_FILE, logging.NOTSET), (ERROR_FILE, logging.WARNING)):
            handler = _PrivateFile(folder / name, maxBytes=MAX_BYTES, backupCount=KEEP_FILES, encoding="utf-8")
            handler.setLevel(lowest)
            handler.setFormatter(formatter)
            logger.addHandler(handler)
    except OSError as error:
        logger.addHandler(logging.NullHandler())
        return f"cannot write logs to {folder}: {error.strerror or error}"
    return ""


def install_excepthook(redactor: Redactor) -> None:
    """Last resort: type and redacted message on stderr, the whole story in the log, never local variables."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        logger.error("crash", exc_info=(kind, error, trace))
        say(redactor(f"{kind.__name__}: {error}"))

    sys.excepthook = hook


def say(text: str) -> None:
    """One message for a person on stderr; a closed stderr is no reason to fail."""
    try:
        print("\n".join(sanitise(line) for line in text.splitlines()), file=sys.stderr, flush=True)
    except (OSError, ValueError, AttributeError):
        return

"""Structured logs: one JSON object per line, a file for all events and one for warnings and errors.

`twitter_manager.log` holds everything from LOG_LEVEL up, `error.log` warnings and up. Each line has the time
(UTC), level, event name, run id and the fields of the event; secrets are removed. What is logged before the
files are known waits for them. A folder that cannot be written, or a full disk, never stops a run: then
warnings go to standard error.
"""

from __future__ import annotations

import base64
import logging
import os
import re
import stat
import sys
import traceback
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, quote_plus

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

ALL_FILE = "twitter_manager.log"
ERROR_FILE = "error.log"
FILES = (ALL_FILE, ERROR_FILE)
_PREFIX_LENGTH = 8
_MOST_EARLY = 1000
_COLOURS = {"DEBUG": "2", "WARNING": "33", "ERROR": "31", "CRITICAL": "31"}
_HEADING = re.compile(r"^(twitter_manager:|\s*fix:)")
# At DEBUG these print tokens and whole Authorization headers.
_TALKATIVE = ("tweepy", "requests_oauthlib", "oauthlib", "urllib3", "requests", "asyncio")

logger = logging.getLogger("twitter_manager")


class Redactor:
    """Replaces known secrets, and their quoted, base64 and cut-off forms, by `***`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms: set[str] = set()
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Replace these too from now on."""
        forms = self._forms
        for secret in filter(None, secrets):
            raw = secret.encode()
            forms |= {
                secret,
                quote(secret, safe=""),
                quote_plus(secret),
                base64.b64encode(raw).decode().rstrip("="),
            }
            if len(secret) >= 2 * _PREFIX_LENGTH:
                forms.add(secret[:_PREFIX_LENGTH])
        ordered = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub("***", text) if self._pattern else text


def sanitise(text: str) -> str:
    """Return `text` with control, bidirectional and other invisible characters as escapes."""
    return "".join(c if c == " " or unicodedata.category(c)[0] not in "CZ" else _escape(c) for c in text)


def _escape(character: str) -> str:
    return (
        character.encode("unicode_escape").decode() if ord(character) > 0x1F else f"\\x{ord(character):02x}"
    )


class _Formatter(JsonFormatter):
    def __init__(self, run_id: str, redactor: Redactor) -> None:
        super().__init__(
            "{levelname}{message}",
            style="{",
            timestamp="time",
            json_ensure_ascii=True,
            rename_fields={"levelname": "level", "message": "event"},
            static_fields={"run": run_id},
        )
        self._redactor = redactor

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of a line, its time first: that is what one looks for."""
        return {"time": log_data["time"], **log_data}

    def format(self, record: logging.LogRecord) -> str:
        return self._redactor(super().format(record))

    def formatException(self, ei: object) -> str:  # noqa: N802 (logging's name)
        return format_error(sys.exc_info()[1]) if not isinstance(ei, tuple) else format_error(ei[1])


def format_error(error: BaseException | None) -> str:
    """Return a traceback as text, without local variables: they hold secrets."""
    return "".join(traceback.format_exception(error)) if error else ""


class _PrivateFile(logging.FileHandler):
    """A file of mode 0600 whose troubles are counted, not raised: a full disk must not stop a post."""

    failures = 0
    trouble = ""

    def _open(self) -> TextIOWrapper:
        # Never wait for the reader of a pipe, never follow a link that somebody put there.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(self.baseFilename, flags, 0o600)
        try:
            self._make_fit(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        return open(descriptor, "a", encoding="utf-8")  # noqa: PTH123 (a descriptor that the handler closes)

    def _make_fit(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            message = "not a regular file"
            raise OSError(message)
        with suppress(OSError):
            if found.st_mode & 0o077:
                os.fchmod(descriptor, 0o600)
            if found.st_size and os.pread(descriptor, 1, found.st_size - 1) != b"\n":
                os.write(descriptor, b"\n")  # a full disk cut the last line short: it must not spoil the next

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        self.failures += 1
        error = sys.exc_info()[1]
        self.trouble = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


class _Early(logging.Handler):
    """Keeps what is logged before the files are known."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.records) < _MOST_EARLY:
            self.records.append(record)


class _ForPeople(logging.Handler):
    """Events as plain lines on standard error: `14:07:03 WARNING send outcome=later`."""

    def emit(self, record: logging.LogRecord) -> None:
        fields = {
            k: v
            for k, v in vars(record).items()
            if k not in RESERVED_ATTRS and not k.startswith("_") and k != "taskName"
        }
        words = "".join(f" {name}={value}" for name, value in fields.items())
        level = _paint(f"{record.levelname:<7}", _COLOURS.get(record.levelname, "0"))
        at = datetime.fromtimestamp(record.created, UTC)
        _print(f"{at:%H:%M:%S} {level} {sanitise(_console.redactor(record.getMessage() + words))}")
        if record.exc_info:
            _print(
                "\n".join(
                    sanitise(line)
                    for line in _console.redactor(format_error(record.exc_info[1])).splitlines()
                )
            )


@dataclass
class _Console:
    """How much of this run goes to standard error (-1 quiet, 0 problems, 1 events, 2 everything), and how."""

    verbosity: int = 0
    colour: bool = False
    redactor: Redactor = field(default_factory=lambda: Redactor(()))


_console = _Console()


def begin(verbosity: int = 0, *, colour: bool = False) -> None:
    """Start logging before the settings are known: what is logged from now on waits for `set_up`.

    `verbosity` is -1 for `-q`, otherwise the number of `-v`. Colours are used only on a terminal, and only if
    `colour` allows it.
    """
    _console.verbosity, _console.redactor = verbosity, Redactor(())
    _console.colour = colour and bool(sys.stderr) and sys.stderr.isatty()
    logger.handlers.clear()
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(_Early())


def set_up(folder: Path, level: str, run_id: str, redactor: Redactor) -> str:
    """Start logging into `folder`, early messages first.

    Return an empty text, or why the files cannot be written.
    """
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    early = _take_early()
    for old in [h for h in logger.handlers if isinstance(h, _PrivateFile)]:
        with suppress(OSError, ValueError):
            old.close()
    logger.handlers.clear()
    logger.propagate = False
    _console.redactor = redactor
    trouble = _open_files(folder, level, run_id, redactor)
    shown = {1: logging.INFO, 2: logging.DEBUG}.get(
        min(_console.verbosity, 2), logging.WARNING if trouble else None
    )
    if shown is not None:
        logger.addHandler(_ForPeople(shown))
    logger.setLevel(min((h.level for h in logger.handlers), default=logging.INFO))
    _replay(early)
    return trouble


def _open_files(folder: Path, level: str, run_id: str, redactor: Redactor) -> str:
    formatter = _Formatter(run_id, redactor)
    opened = []
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, lowest in ((ALL_FILE, level), (ERROR_FILE, "WARNING")):
            handler = _PrivateFile(folder / name, encoding="utf-8")
            handler.setLevel(lowest)
            handler.setFormatter(formatter)
            opened.append(handler)
    except OSError as error:
        for handler in opened:
            handler.close()
        return f"cannot write logs to {folder}: {error.strerror or error}"
    for handler in opened:
        logger.addHandler(handler)
    return ""


def _take_early() -> list[logging.LogRecord]:
    return [record for h in logger.handlers if isinstance(h, _Early) for record in h.records]


def _replay(records: Iterable[logging.LogRecord]) -> None:
    for record in records:
        for handler in logger.handlers:
            if record.levelno >= handler.level:
                handler.handle(record)


def finish() -> None:
    """Report at the end of a run what reached no file: none was opened, or a disk is full. Never raise."""
    early = _take_early()
    if early:
        logger.handlers[:] = [_ForPeople(logging.WARNING)]
        _replay(early)
    files = [h for h in logger.handlers if isinstance(h, _PrivateFile)]
    if lost := sum(h.failures for h in files):
        why = next(h.trouble for h in files if h.failures)
        folder = Path(files[0].baseFilename).parent
        _say(
            f"twitter_manager: {lost} log lines could not be written: {why}\n  fix: make room: df -h {folder}"
        )


def keep_secret(secrets: Iterable[str]) -> None:
    """Keep these out of everything that is logged or shown from now on: tokens that came during the run."""
    _console.redactor.learn(secrets)


def install_excepthook(redactor: Redactor) -> None:
    """Last resort: type and redacted message on stderr, the whole story in the log, never local variables."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        logger.error("crash", exc_info=(kind, error, trace))
        say(redactor(f"{kind.__name__}: {error}"))

    sys.excepthook = hook


def say(text: str) -> None:
    """Write one message for a person to stderr, or with `-q` nothing. A closed stderr is no failure."""
    quiet = _console.verbosity < 0 and any(isinstance(h, _PrivateFile) for h in logger.handlers)
    if not quiet:
        _say(text)


def _say(text: str) -> None:
    lines = (sanitise(line) for line in _console.redactor(text).splitlines())
    _print(
        "\n".join(
            _HEADING.sub(lambda m: _paint(m[1], "1;36" if "fix" in m[1] else "1;31"), line) for line in lines
        )
    )


def _paint(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if _console.colour else text


def _print(text: str) -> None:
    with suppress(OSError, ValueError, AttributeError):
        print(text, file=sys.stderr, flush=True)

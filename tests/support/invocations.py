"""Random invocations of the program: what is typed, what stands in `.env`, what the streams and files are like.

Each has a number, by which it can be played again. Exit 70 means a bug, and none of them may find one.
Nothing here reaches the network, the user's crontab, or a model.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from src import twitter_manager
from src.config import ROOT, Settings
from src.db_manager import open_database
from src.domain.runs import Exit
from src.domain.texts import Draft
from tests.support.scenarios import memory_folder

KEYS = {
    "TWITTER_API_KEY": "k" * 25,
    "TWITTER_API_SECRET": "s" * 50,
    "TWITTER_ACCESS_TOKEN": "1234567890-" + "t" * 40,
    "TWITTER_ACCESS_TOKEN_SECRET": "u" * 45,
}
ODD = (
    "", "0", "-1", "1", "7", "99999999999999999999", "1e9", "nan", "true", "False", "none", "~", "~nobody/x", "/", ".", "..",
    "/dev/null", "/dev/full", "/dev/zero", "/proc/self/mem", "/nowhere/at/all", "a b", "a,b,,c", ",", '"', "'", '"open', "$HOME", "${X",
    "#", "=", "x=y", "\\n", "\\", "%s", "{link}", "{nope}", "спам", "\u202e", "\x1b[2J", "\x00"[:0], "é" * 500, "x" * 70_000, "22:00-07:00",
    "25:00-99:99", "22-7", "Europe/Berlin", "Mars/Base", "mon-fri", "fri-mon", "09:00,13:00", "9:00", "http://127.0.0.1:9", "https://u:p@h/x",
    "https://example.org/feed.xml", "ftp://x", "json://127.0.0.1:9", "mailto://", "tgram://x", "owner/name", "embedded", "../..", "2026-11-22", "2099-01-01",
)  # fmt: skip
WORDS = (
    (), ("--dry-run",), ("check",), ("check", "--online"), ("status",), ("report",), ("report", "--days", "N"), ("report", "--html", "FILE"),
    ("report", "--prometheus", "FILE"), ("history",), ("history", "-n", "N"), ("drafts",), ("drafts", "list"), ("drafts", "show", "N"),
    ("drafts", "approve", "N"), ("drafts", "edit", "N", "TEXT"), ("drafts", "edit", "N", "-"), ("drafts", "reject", "N"),
    ("drafts", "generate", "-n", "1"), ("reconcile",), ("reconcile", "N"), ("reconcile", "N", "--posted", "N"), ("reconcile", "N", "--not-posted"),
    ("reconcile", "N", "--take-back"), ("undo", "N"), ("undo", "N", "--yes"), ("model",), ("model", "show"), ("model", "show", "--all"),
    ("model", "rollback"), ("alerts", "test"), ("maintain",), ("restore", "FILE"), ("restore",), ("install", "--print"), ("install", "--systemd", "--print"),
    ("login",), ("login", "--oauth2"), ("completion", "bash"), ("completion", "SHELL"), ("sources",), ("sources", "check"), ("sources", "topics"),
    ("sources", "hide", "TEXT"), ("sources", "unhide", "TEXT"), ("sources", "hidden"), ("sources", "feeds"), ("sources", "backfill", "TEXT"),
    ("sources", "add", "TEXT", "--topic", "TEXT", "--reference", "TEXT"), ("pause",), ("pause", "--until", "TEXT"), ("resume",), ("evaluate", "-n", "1"),
    ("evaluate", "--score", "FILE"),
    ("--version",), ("--help",), ("status", "--help"), ("nonsense",), ("TEXT",), ("drafts", "TEXT"),
)  # fmt: skip
# What would change the machine or take minutes: never typed here.
KEPT_OUT = {"--apply", "--remove", "tune", "install_embedded"}
PATHS = {"DATA_DIR", "LOG_DIR", "MODELS_DIR", "SOURCES", "BLOCKLIST_FILE", "MODEL"}
GLOBAL = ("--json", "--json", "--json", "-q", "-q", "-v", "-v", "-vv", "--profile", "--nonsense", "-h")
Player = Callable[[int, Path], tuple["Invocation", int, str]]
GOOD = frozenset(map(int, set(Exit) - {Exit.BUG})) | {130}
GOOD_OF_A_PROCESS = GOOD | {
    -int(signal.SIGXFSZ),
    128 + int(signal.SIGXFSZ),
}  # a limit of files is the system's word


@dataclass
class Invocation:
    """One invocation by its number."""

    number: int
    arguments: list[str] = field(default_factory=list)
    env_file: bytes = b""
    environment: dict[str, str] = field(default_factory=dict)
    streams: tuple[str, str, str] = ("empty", "open", "open")  # standard input, output and error
    state: str = "none"  # of the data folder

    def __str__(self) -> str:
        env = self.env_file[:300]
        typed = [a if len(a) < 60 else f"{a[:20]}...({len(a)})" for a in self.arguments]
        return (
            f"number {self.number}: {typed}, .env {env!r}, {self.environment}, {self.streams}, {self.state}"
        )


def make(number: int, folder: Path) -> Invocation:
    """Return the invocation of this number; its files lie in `folder`."""
    rng = random.Random(number)
    made = Invocation(number, _arguments(rng, folder), _env_file(rng, folder))
    names = [name.upper() for name in Settings.model_fields]
    made.environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "DATA_DIR": str(folder / "data"),
        "LOG_DIR": str(folder / "logs"),
        "ENV_FILE": str(folder / "env"),
        "X_API_BASE_URL": "http://127.0.0.1:9",
        "CANDIDATES": "0",
        "CONNECT_TIMEOUT_SECONDS": "1",
        "RETRY_WAIT_SECONDS": "0",
        "RECONCILE_DELAYS_SECONDS": "0",
        **(KEYS if rng.random() < 0.6 else {}),
    }
    for _ in range(rng.choice((0, 0, 0, 0, 0, 0, 1, 2))):
        name = rng.choice(names)
        made.environment[name] = _value(rng, name, folder)
    for variable, values in (
        ("LC_ALL", ("C", "C.UTF-8", "de_DE.ISO-8859-1", "nonsense")),
        ("TZ", ("UTC", "Asia/Kolkata", "nonsense", "")),
        ("TERM", ("dumb", "xterm", "")),
        ("COLUMNS", ("1", "0", "-5", "80", "x")),
        ("NO_COLOR", ("1", "")),
    ):
        if rng.random() < 0.3:
            made.environment[variable] = rng.choice(values)
    if rng.random() < 0.03:
        made.environment["DATA_DIR"] = rng.choice(
            ("/dev/null/x", "/proc/x", str(folder / "file"), "~nobody/x")
        )
    made.streams = (
        rng.choice(("empty", "closed", "yes", "text", "binary", "huge", "empty")),
        rng.choice(("open", "open", "open", "ascii", "closed", "broken", "full", "terminal")),
        rng.choice(("open", "open", "ascii", "closed", "full")),
    )
    made.state = rng.choice(
        ("none", "posts", "posts", "posts", "empty file", "rubbish", "cut", "other program", "folder")
    )
    return made


def _arguments(rng: random.Random, folder: Path) -> list[str]:
    words = list(rng.choice(WORDS))
    files = [
        str(folder / "file"),
        str(folder),
        "/dev/full",
        "/nowhere/x",
        str(folder / "data" / "twitter.db"),
        "",
    ]
    places: dict[str, Callable[[], str]] = {
        "N": lambda: rng.choice(("1", "2", "3", "99", "0", "-1", "x", "9" * 30, "1.5", "")),
        "TEXT": lambda: rng.choice(ODD),
        "FILE": lambda: rng.choice(files),
        "SHELL": lambda: rng.choice(("zsh", "fish", "cmd", "")),
    }
    words = [places[word]() if word in places else word for word in words]
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        extra = rng.choice(GLOBAL)
        words.insert(rng.randint(0, len(words)), extra)
        if extra == "--profile":
            words.insert(words.index(extra) + 1, rng.choice(("work", "..", "", "x" * 40, "Work")))
            break
    if rng.random() < 0.1 and words:
        words.pop(rng.randrange(len(words)))
    if rng.random() < 0.05:
        words.insert(rng.randint(0, len(words)), rng.choice(ODD))
    return [word.replace("\0", "") for word in words if word not in KEPT_OUT]


def _value(rng: random.Random, name: str, folder: Path) -> str:
    """Return a random value. A path where files are made lies in `folder`, or where nobody can make any.

    The tests may run as root, who could make folders anywhere.
    """
    if name in PATHS:
        inside = (
            "sub",
            "a b",
            "é" * 100,
            "x" * 300,
            "x" * 5000,
            "file",
            "file/x",
            "data",
            "deep/er",
            "\u202e",
        )
        outside = ["~", "/dev/null", "/dev/null/x", "/dev/full", "/proc/x"]
        # Without these two, and where no folder of logs is known, the program writes to those of the checkout.
        outside += ["~no-such-user/x"] * (name != "LOG_DIR") + [""] * (name not in {"DATA_DIR", "LOG_DIR"})
        return rng.choice((*outside, *(f"{folder}/{name}" for name in inside)))
    return rng.choice(ODD).replace("\0", "")


def _env_file(rng: random.Random, folder: Path) -> bytes:
    if rng.random() < 0.7:
        return b""
    names = [name.upper() for name in Settings.model_fields]
    lines = []
    for _ in range(rng.randint(0, 5)):
        name = rng.choice(names)
        value = _value(rng, name, folder)
        lines.append(
            rng.choice(
                (
                    f"{name}={value}",
                    f'{name}="{value}"',
                    f"{name}='{value}",
                    f"export {name}={value}",
                    name,
                    f"# {value}",
                    f"NO_SUCH_SETTING={value}",
                    value,
                )
            )
        )
    text = rng.choice(("\n", "\r\n", "\r")).join(lines)
    return rng.choice((text.encode(), text.encode(), text.encode("utf-16"), b"\xff\xfe\x00" + text.encode()))


def prepare(made: Invocation, folder: Path) -> None:
    """Put the files of an invocation in place, in an empty folder."""
    (folder / "env").write_bytes(made.env_file)
    (folder / "env").chmod(0o600)
    (folder / "file").write_bytes(b"a file\n")
    (folder / "logs").mkdir(mode=0o700)
    data = folder / "data"
    data.mkdir(mode=0o700)
    database = data / "twitter.db"
    match made.state:
        case "none":
            return
        case "empty file":
            database.touch(mode=0o600)
        case "rubbish":
            database.write_bytes(random.Random(made.number).randbytes(5000))
        case "folder":
            database.mkdir()
        case "other program":
            with contextlib.closing(sqlite3.connect(database)) as db:
                db.execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, content TEXT NOT NULL, status TEXT)")
                db.execute("INSERT INTO posts(content, status) VALUES ('old', 'success'), (x'ff00', NULL)")
                db.commit()
        case _:
            shutil.copy(_database_with_posts(), database)
            if made.state == "cut":
                with database.open("r+b") as file:
                    file.truncate(random.Random(made.number).randrange(1, database.stat().st_size))


_cache: dict[str, Path] = {}


def _database_with_posts() -> Path:
    """Return a database with a few drafts, made once."""
    if "posts" not in _cache:
        import tempfile  # noqa: PLC0415

        place = Path(tempfile.mkdtemp()) / "twitter.db"
        now = datetime.now(UTC)
        with contextlib.closing(open_database(place, now)) as db:
            db.add_draft(Draft("A first draft that waits.", "wording", "a", "Git"), now)
            db.approve(db.add_draft(Draft("A second one, approved.", "person"), now), now)
            db.reject(db.add_draft(Draft("A third one, rejected.", "model", "b", "SQL"), now))
            db.notes.put(cold_start=None)
        _cache["posts"] = place
    return _cache["posts"]


def play_all(numbers: Iterable[int], player: Player | None = None) -> Counter[int]:
    """Play invocations one after the other; return how many ended with each exit code. Print each bug's story."""
    codes: Counter[int] = Counter()
    with memory_folder() as base:
        for number in numbers:
            folder = base / str(number)
            folder.mkdir(mode=0o700)
            made, code, story = (player or play)(number, folder)
            codes[code] += 1
            if code not in GOOD_OF_A_PROCESS:
                print(f"exit {code}: {made}\n{story}")
            shutil.rmtree(folder, ignore_errors=True)
    return codes


# ---- in this process ---------------------------------------------------------------------------------------


class _Stream(io.TextIOWrapper):
    """A standard stream in memory that may be a terminal, or refuse to be written."""

    def __init__(self, kind: str, errors: str = "strict") -> None:
        self.kind, self.pending = kind, False
        super().__init__(io.BytesIO(), encoding="ascii" if kind == "ascii" else "utf-8", errors=errors)

    def fileno(self) -> int:
        return _nowhere()

    def isatty(self) -> bool:
        return self.kind == "terminal"

    def write(self, text: str) -> int:
        self.pending = True  # a real stream keeps what is written, too, and fails when it is to go out
        return super().write(text)

    def flush(self) -> None:
        if not self.closed:
            if self.pending:
                self._refuse()
            self.pending = False
            super().flush()

    def _refuse(self) -> None:
        if self.kind == "broken":
            raise BrokenPipeError(32, "Broken pipe")
        if self.kind == "full":
            raise OSError(28, "No space left on device")


@functools.cache
def _nowhere() -> int:
    """Return a descriptor that stands for those of the streams in memory."""
    return os.open(os.devnull, os.O_RDWR)


def _input(kind: str) -> io.TextIOWrapper | None:
    content = {
        "yes": b"yes\n",
        "text": b"Some text to put there.\n",
        "binary": bytes(range(256)),
        "huge": b"x " * 500_000,
    }
    return (
        None if kind == "closed" else io.TextIOWrapper(io.BytesIO(content.get(kind, b"")), encoding="utf-8")
    )


def play(number: int, folder: Path) -> tuple[Invocation, int, str]:
    """Play one invocation in this process, in an empty folder; return it, its exit code, and a traceback if any."""
    made = make(number, folder)
    prepare(made, folder)
    stdin, stdout, stderr = made.streams
    out = None if stdout == "closed" else _Stream(stdout)
    err = None if stderr == "closed" else _Stream(stderr, "backslashreplace")
    story = ""
    told: list[BaseException] = []
    with (
        mock.patch.dict(os.environ, made.environment, clear=True),
        mock.patch.object(sys, "stdin", _input(stdin)),
        mock.patch.object(sys, "stdout", out),
        mock.patch.object(sys, "stderr", err),
        mock.patch.object(twitter_manager, "_bug", _telling(told)),
        mock.patch.object(sys, "argv", ["twitter_manager", *made.arguments]),
        _as_it_was(),
    ):
        try:
            code = int(twitter_manager.main(made.arguments) or 0)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException:
            code, story = -1, traceback.format_exc()
    if told:
        story = "".join(traceback.format_exception(told[0]))
    for stream in (out, err):  # else the garbage collector complains where a stream refuses
        if stream is not None:
            stream.kind = "open"
    return made, code, story


def _telling(told: list[BaseException]) -> Callable[[Exception], Any]:
    """Return what takes the place of `_bug`: it also keeps the error that it is told."""
    real = twitter_manager._bug

    def bug(error: Exception) -> Any:
        told.append(error)
        return real(error)

    return bug


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """Undo what a process may change of itself: working folder, mask, hook, time zone."""
    mask, hook, place = os.umask(0o077), sys.excepthook, Path.cwd()
    try:
        yield
    finally:
        os.umask(mask)
        os.chdir(place)
        sys.excepthook = hook


# ---- as processes ------------------------------------------------------------------------------------------


def spawn(number: int, folder: Path) -> tuple[Invocation, int, str]:
    """Play one invocation as a process, with real streams: closed, full, broken; return it, its code and story."""
    made = make(number, folder)
    prepare(made, folder)
    stdin, stdout, stderr = made.streams
    content = {"yes": b"yes\n", "text": b"Some text.\n", "binary": bytes(range(256)), "huge": b"x " * 500_000}
    (folder / "in").write_bytes(content.get(stdin, b""))
    redirections = {"closed": ">&-", "full": ">/dev/full", "broken": "| true"}
    shell = f'"$0" -P -m src.twitter_manager "$@" {"<&-" if stdin == "closed" else "<" + str(folder / "in")}'
    shell += f" 2{redirections['closed'] if stderr == 'closed' else '>/dev/full' if stderr == 'full' else '>' + str(folder / 'err')}"
    if stdout == "broken":
        shell = f"set -o pipefail; {shell} | true; exit ${{PIPESTATUS[0]}}"
    elif stdout in redirections:
        shell += f" {redirections[stdout]}"
    if made.number % 7 == 0:
        shell = f"ulimit -f 8; {shell}"
    done = subprocess.run(
        ["bash", "-c", shell, sys.executable, *made.arguments],
        # A bounded file would leave half of a module's bytecode behind, which Python then loads.
        env={**made.environment, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=folder,
        capture_output=True,
        timeout=120,
        check=False,
    )
    said = (folder / "err").read_text("utf-8", "replace") if (folder / "err").exists() else ""
    return made, done.returncode, said + done.stderr.decode("utf-8", "replace")

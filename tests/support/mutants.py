"""Bugs on purpose. Each is planted into a fork, which plays some stories; the oracle must see the harm.

A mutant is text that replaces text in a module of `src` (or in the schema), so that it breaks when the program
changes.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Mutant:
    """A bug: (file under src, old text, new text) edits, and what it stands for."""

    name: str
    edits: tuple[tuple[str, str, str], ...]
    lock: bool = True


MUTANTS = (
    Mutant(
        "age-based rescue of sending to pending",
        (
            (
                "db_manager.py",
                "UPDATE posts SET status = 'unknown', error_message = 'the run that sent it died'",
                "UPDATE posts SET status = 'pending', error_message = 'rescued'",
            ),
            (
                "db_manager.py",
                "UPDATE attempts SET outcome = 'unknown', detail = 'the run died'",
                "UPDATE attempts SET outcome = 'not_sent', detail = 'rescued'",
            ),
        ),
    ),
    Mutant(
        "retry when the outcome is unknown",
        (
            (
                "posting/send.py",
                "lambda r: r.outcome is Outcome.NOT_SENT and",
                "lambda r: r.outcome in {Outcome.NOT_SENT, Outcome.UNKNOWN} and",
            ),
            (
                "db_manager.py",
                "{Outcome.POSTED: Status.POSTED, Outcome.NOT_SENT: Status.PENDING}",
                "{Outcome.POSTED: Status.POSTED, **dict.fromkeys((Outcome.NOT_SENT, Outcome.UNKNOWN), Status.PENDING)}",
            ),
            (
                "db_manager.py",
                "                    result.outcome,\n                    result.http_status,",
                "                    'not_sent',\n                    result.http_status,",
            ),
        ),
    ),
    Mutant(
        "no compare-and-swap when a send begins",
        (
            (
                "db_manager.py",
                "\" WHERE id = ? AND status = 'pending' AND attempts = ?\",\n                (now.timestamp(), since, post.id, post.attempts),",
                '" WHERE id = ?",\n                (now.timestamp(), since, post.id),',
            ),
            (
                "db_manager.py",
                "\"UPDATE posts SET status = 'sending', attempts = attempts + 1,",
                "\"UPDATE posts SET status = 'sending',",
            ),
            (
                "store/migrations/0002_protocol.sql",
                "'sending>pending',",
                "'sending>pending', 'posted>sending', 'unknown>sending', 'failed>sending',",
            ),
        ),
        lock=False,
    ),
    Mutant("redirects followed", (("x/session.py", "allow_redirects=False", "allow_redirects=True"),)),
    Mutant(
        "no reconcile",
        (
            (
                "posting/reconcile.py",
                "    open_posts = run.db.with_status(Status.UNKNOWN)\n    if not open_posts:",
                "    open_posts = run.db.with_status(Status.UNKNOWN)\n    if True:",
            ),
            (
                "posting/reconcile.py",
                "    for pause in run.settings.reconcile_delays_seconds:",
                "    for pause in ():",
            ),
            ("posting/reconcile.py", "    if abs(now - last) < AUDIT_EVERY:", "    if True:"),
        ),
    ),
    Mutant(
        "no lock, and the slot is not unique",
        (
            (
                "store/migrations/0002_protocol.sql",
                "CREATE UNIQUE INDEX one_post_per_slot",
                "CREATE INDEX one_post_per_slot",
            ),
            (
                "store/migrations/0002_protocol.sql",
                "CREATE UNIQUE INDEX one_sending ON posts(status) WHERE status = 'sending';",
                "",
            ),
        ),
        lock=False,
    ),
    Mutant(
        "a refusal frees the slot at once",
        (
            ("posting/reconcile.py", "FREE_AFTER = timedelta(minutes=45)", "FREE_AFTER = timedelta(0)"),
            ("posting/reconcile.py", "ABSENT_READS = 2", "ABSENT_READS = 0"),
            ("store/migrations/0003_proof.sql", "OLD.absent >= 2", "OLD.absent >= 0"),
            ("store/migrations/0003_proof.sql", "OLD.absent < 2", "OLD.absent < 0"),
        ),
    ),
    Mutant(
        "posted without an id",
        (
            (
                "x/responses.py",
                '    return _unknown(status, "no-tweet-id", "success without a numeric tweet id")',
                "    return SendResult(Outcome.POSTED, tweet_id=4711, http_status=status)",
            ),
        ),
    ),
    Mutant(
        "the intent is recorded after the send",
        (
            (
                "posting/send.py",
                "        attempt = run.db.begin_send(",
                "        early = run.account.send(post.content)\n        attempt = run.db.begin_send(",
            ),
            (
                "posting/send.py",
                "        result = run.account.send(post.content)\n        reach",
                "        result = early\n        reach",
            ),
        ),
    ),
)


def plant(mutant: Mutant, folder: Path) -> None:
    """In this process: use a copy of `src` with the bug in it. Every module is loaded anew."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "data").symlink_to(ROOT / "data")  # the lists that the gates read
    for name, old, new in mutant.edits:
        file = folder / "src" / name
        text = file.read_text(encoding="utf-8")
        assert old in text, f"{mutant.name}: {name} has no {old!r} any more"
        file.write_text(text.replace(old, new), encoding="utf-8")
    for name in [n for n in sys.modules if n == "src" or n.startswith(("src.", "tests.support."))]:
        del sys.modules[name]
    sys.path.insert(0, str(folder))


def battery(folder: Path, *, lock: bool = True) -> None:
    """Play a few stories that every correct program survives. Raise AssertionError for a broken promise."""
    scenarios = importlib.import_module("tests.support.scenarios")
    with scenarios.new_stage(folder) as stage:
        tally = scenarios.Tally()
        for post in ("lost answer", "307, made", "503, made", "empty", "no id"):
            scenarios.play(stage, tally, name="none", post=post)
        for name in (
            "intent.before_commit",
            "intent.committed",
            "send.before",
            "send.after",
            "settle.before_commit",
            "settle.committed",
        ):
            scenarios.play(stage, tally, name=name, post="ok")
        for post in ("400, made", "401, made", "duplicate, made"):
            scenarios.play(stage, tally, name="none", post=post, read="late")
        if not lock:
            for name in scenarios.TICK_NAMES:
                scenarios.overtake(stage, tally, first=name)
                scenarios.overtake(stage, tally, first="claim.committed", second=name)


def survives(mutant: Mutant | None, *, lock: bool = True) -> tuple[bool, str]:
    """Whether the program with this bug (None: without) passes the battery, and what was seen. In a fork."""
    folder = Path(
        tempfile.mkdtemp(
            prefix="twitter_manager-mutant-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        )
    )
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        code, words = 1, ""
        try:
            if mutant:
                plant(mutant, folder)
            (folder / "world").mkdir()
            battery(folder / "world", lock=lock)
            code = 0
        except AssertionError as error:
            words = f"caught: {error}"
        except BaseException as error:
            code, words = 2, f"{type(error).__name__}: {error}"
        with contextlib.suppress(BaseException):
            os.write(write, words.encode()[:4000])
        os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        words = pipe.read().decode("utf-8", "replace")
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    shutil.rmtree(folder, ignore_errors=True)
    assert status in {0, 1}, f"the battery itself broke: {status} {words}"
    return status == 0, words

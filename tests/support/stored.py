"""A database with rows in it, also in states that a life leads to only in many steps."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

from src.db_manager import Database
from src.domain.answers import Outcome, SendResult
from src.domain.posts import Post
from src.domain.queue import in_order
from src.domain.runs import RunOutcome
from src.domain.texts import Draft, fingerprint

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
SLOT, NEXT = "2026-11-22T14:00Z", "2026-11-22T15:00Z"
TWEET = 2124504924287926272  # made at 14:06:40 of that day
ON_INSERT = ("known_status_insert", "text_is_not_repeated_insert")


def draft(n: int = 1) -> Draft:
    """Return a text."""
    return Draft(f"Text number {n}.", "wording", f"s-{n}", "Git")


def sent(db: Database, n: int = 1, slot: str = SLOT) -> tuple[Post, int]:
    """Claim a text and record the intent; return the post and its attempt."""
    post = db.claim(draft(n), slot, NOW)
    assert post
    attempt = db.begin_send(post, "run", NOW)
    assert attempt
    return db.post(post.id), attempt


def posted(tweet_id: int = TWEET) -> SendResult:
    """Return the answer of X that made a tweet."""
    return SendResult(Outcome.POSTED, tweet_id=tweet_id, http_status=201)


@contextlib.contextmanager
def past_the_triggers(db: Database) -> Iterator[None]:
    """Lift, in one transaction, what the database refuses of a new row."""
    with db.connection.transaction() as sqlite:
        found = sqlite.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        lifted = [row for row in found if row["name"] in ON_INSERT]
        for row in lifted:
            sqlite.execute(f"DROP TRIGGER {row['name']}")
        yield
        for row in lifted:
            sqlite.execute(row["sql"])


def put(db: Database, status: str | None, content: str = "Text.", **columns: object) -> int:
    """Insert a post in any state and return its id. A time may be given as a datetime."""
    values = {"content": content, "status": status, "fingerprint": fingerprint(content), "origin": "wording"}
    with past_the_triggers(db):
        return insert(db, "posts", **{**values, **columns})


def put_attempt(
    db: Database, post_id: int, outcome: str | None, started: datetime = NOW, **columns: object
) -> int:
    """Insert an attempt to send a post and return its id."""
    return insert(db, "attempts", post_id=post_id, outcome=outcome, started=started, **columns)


def put_run(
    db: Database,
    run_id: str,
    exit_code: int | None = 0,
    outcome: RunOutcome = RunOutcome.POSTED,
    at: datetime = NOW,
    command: str = "tick",
    metrics: dict[str, float] | None = None,
) -> None:
    """Record a run; without an exit code it has not ended."""
    db.journal.begin_run(run_id, command, SLOT, "0", at)
    if exit_code is not None:
        db.journal.finish_run(run_id, exit_code, outcome, "m", metrics or {}, at)


def insert(db: Database, table: str, **columns: object) -> int:
    """Insert a row into a table and return its id."""
    values = [v.timestamp() if isinstance(v, datetime) else v for v in columns.values()]
    marks = ", ".join("?" * len(values))
    sql = f"INSERT INTO {table}({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
    return db.connection.sqlite.execute(sql, values).lastrowid or 0


def everything(db: Database, table: str = "posts") -> dict[int, tuple[object, ...]]:
    """Return each row of a table by its id."""
    return {row["id"]: tuple(row) for row in db.connection.rows(f"SELECT * FROM {table}")}  # noqa: S608


def next_waiting(
    db: Database, since: datetime, now: datetime = datetime.max.replace(tzinfo=UTC)
) -> Post | None:
    """Return the text of the queue that a run would take first."""
    return next(iter(in_order(db.queue.waiting(since), now)), None)

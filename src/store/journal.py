"""The journal: runs, requests to post, texts that the model wrote, and the ledger of what X bills."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime

from src.domain.answers import Outcome
from src.domain.posts import Post
from src.domain.runs import Attempt, ModelUse, RunOutcome, RunRecord, model_use
from src.domain.texts import Candidate
from src.store.connection import Connection
from src.store.rows import numbers, required_time, stored_outcome, time_of, to_attempt, to_run


class Journal:
    """The record of what the program did and spent."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def begin_run(self, run_id: str, command: str, slot: str, version: str, now: datetime) -> None:
        """Record that a run has started."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO runs(run_id, command, slot, started, version) VALUES (?, ?, ?, ?, ?)",
                (run_id, command, slot, now.timestamp(), version),
            )

    def finish_run(
        self,
        run_id: str,
        exit_code: int,
        outcome: RunOutcome,
        message: str,
        metrics: Mapping[str, float],
        now: datetime,
        reason: str = "",
    ) -> None:
        """Record how a run ended and what it measured. `reason` belongs to a hold."""
        stored = stored_outcome(outcome, reason)
        with self._db.transaction() as db:
            db.execute(
                "UPDATE runs SET finished = ?, exit_code = ?, outcome = ?, message = ?, metrics = ? WHERE"
                " run_id = ?",
                (now.timestamp(), exit_code, stored, message, json.dumps(dict(metrics)), run_id),
            )

    def latest_run(self) -> RunRecord | None:
        """Return the tick that started last, finished or not."""
        rows = self._db.rows("SELECT * FROM runs WHERE command = 'tick' ORDER BY id DESC LIMIT 1")
        return to_run(rows[0]) if rows else None

    def runs_since(self, since: datetime) -> list[RunRecord]:
        """Return the ticks that started at `since` or later, oldest first."""
        rows = self._db.rows(
            "SELECT * FROM runs WHERE started >= ? AND command = 'tick' ORDER BY started", since.timestamp()
        )
        return [to_run(row) for row in rows]

    def failures_in_a_row(self, most: int = 100) -> int:
        """Count the latest consecutive failures among the ticks that failed or posted."""
        rows = self._db.rows(
            "SELECT exit_code FROM runs WHERE command = 'tick'"
            " AND (exit_code <> 0 OR outcome = ?) ORDER BY id DESC LIMIT ?",
            RunOutcome.POSTED,
            most,
        )
        return next((n for n, row in enumerate(rows) if row["exit_code"] == 0), len(rows))

    def model_failures_in_a_row(self, most: int = 100) -> int:
        """Count the latest consecutive ticks that asked the model for a text and got none."""
        rows = self._db.rows(
            "SELECT metrics FROM runs WHERE finished IS NOT NULL AND command = 'tick' ORDER BY id DESC LIMIT"
            " ?",
            most,
        )
        uses = (model_use(numbers(row["metrics"])) for row in rows)  # read no further than needed
        asked = (use for use in uses if use is not ModelUse.NOT_ASKED)
        return sum(1 for _ in itertools.takewhile(lambda use: use is ModelUse.FAILED, asked))

    def last_answer(self, post: Post) -> Outcome:
        """Return X's answer to the last attempt to send this post, UNKNOWN without an answer or attempt."""
        outcome = self._db.value(
            "SELECT outcome FROM attempts WHERE post_id = ? ORDER BY id DESC LIMIT 1", post.id
        )
        return Outcome(outcome or Outcome.UNKNOWN)

    def texts_refused_in_a_row(self, most: int = 10) -> int:
        """Count the latest consecutive posts whose text X refused: one is about its text, many are not."""
        rows = self._db.rows(
            "SELECT outcome FROM attempts WHERE outcome <> ? ORDER BY id DESC LIMIT ?",
            Outcome.NOT_SENT,
            most,
        )
        return sum(1 for _ in itertools.takewhile(lambda row: row["outcome"] == Outcome.REFUSED, rows))

    def last_attempt(self, post: Post) -> datetime | None:
        """Return when the last attempt to send this post began, None if there was none."""
        return time_of(self._db.value("SELECT max(started) FROM attempts WHERE post_id = ?", post.id))

    def attempts_since(self, since: datetime) -> list[Attempt]:
        """Return the requests to post that left at `since` or later, oldest first."""
        rows = self._db.rows("SELECT * FROM attempts WHERE started >= ? ORDER BY started", since.timestamp())
        return [to_attempt(row) for row in rows]

    def add_candidates(self, run_id: str, candidates: Iterable[Candidate], now: datetime) -> None:
        """Record what the model wrote, and which gates refused it."""
        with self._db.transaction() as db:
            db.executemany(
                "INSERT INTO candidates(run_id, created_at, source_id, opening, score, reasons, chosen)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        run_id,
                        now.timestamp(),
                        c.source_id,
                        c.opening,
                        c.score,
                        ",".join(c.verdict.reasons),
                        c.chosen,
                    )
                    for c in candidates
                ],
            )

    def candidates_since(self, since: datetime) -> tuple[int, int, dict[str, int]]:
        """Return the openings judged since then, how many were taken, and how many each gate refused."""
        rows = self._db.rows(
            "SELECT reasons, count(*) AS judged, sum(chosen) AS taken FROM candidates WHERE created_at >= ?"
            " GROUP BY reasons",
            since.timestamp(),
        )
        refused: dict[str, int] = {}
        for row in rows:
            for reason in filter(None, row["reasons"].split(",")):
                refused[reason] = refused.get(reason, 0) + row["judged"]
        return sum(row["judged"] for row in rows), sum(row["taken"] for row in rows), refused

    def spend(self, now: datetime, kind: str, units: int, usd: float) -> None:
        """Enter into the ledger what X will bill (US dollars, all units together)."""
        with self._db.transaction() as db:
            spend(db, now, kind, units, usd)

    def spending_by_day(self, since: datetime) -> list[tuple[str, str, int, float]]:
        """Return the ledger since then by day: (day as 2026-11-22 in UTC, kind, units, US dollars)."""
        rows = self._db.rows(
            "SELECT date(at, 'unixepoch') AS day, kind, sum(units) AS units, sum(usd) AS usd FROM spending"
            " WHERE at >= ? GROUP BY day, kind ORDER BY day",
            since.timestamp(),
        )
        return [(row["day"], row["kind"], row["units"], row["usd"]) for row in rows]

    def spendings_since(self, since: datetime) -> list[tuple[datetime, str, float]]:
        """Return each entry of the ledger since then: (when in UTC, kind, US dollars), the oldest first."""
        rows = self._db.rows(
            "SELECT at, kind, usd FROM spending WHERE at >= ? ORDER BY at", since.timestamp()
        )
        return [(required_time(row["at"]), row["kind"], row["usd"]) for row in rows]

    def prune(self, *, candidates: datetime, runs: datetime, attempts: datetime) -> dict[str, int]:
        """Delete rows older than these times and return how many of each table. Posts are never deleted.

        The attempts of a post that is still open stay too: they forbid to send its text again.
        """
        with self._db.transaction("maintain.prune") as db:
            return {
                "candidates": db.execute(
                    "DELETE FROM candidates WHERE created_at < ?", (candidates.timestamp(),)
                ).rowcount,
                "runs": db.execute("DELETE FROM runs WHERE started < ?", (runs.timestamp(),)).rowcount,
                "attempts": db.execute(
                    "DELETE FROM attempts WHERE started < ? AND (SELECT status FROM posts WHERE id = post_id)"
                    " IN ('posted', 'failed', 'expired', 'rejected')",
                    (attempts.timestamp(),),
                ).rowcount,
            }


def spend(db: sqlite3.Connection, now: datetime, kind: str, units: int, usd: float) -> None:
    """Enter into the ledger within the caller's transaction."""
    db.execute(
        "INSERT INTO spending(at, kind, units, usd) VALUES (?, ?, ?, ?)", (now.timestamp(), kind, units, usd)
    )

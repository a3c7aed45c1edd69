"""Conversion of rows to values and back. Times are stored as Unix seconds, `posted_at` as ISO text in UTC."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime

from src.domain.answers import REFUSALS, Outcome
from src.domain.posts import MAY_BE_ON_X, Post, Status
from src.domain.runs import Attempt, RunOutcome, RunRecord

ON_X = "(" + ", ".join(f"'{status}'" for status in Status if status in MAY_BE_ON_X) + ")"  # for SQL
REFUSED = "(" + ", ".join(f"'{answer}'" for answer in Outcome if answer in REFUSALS) + ")"


def to_post(row: sqlite3.Row) -> Post:
    """Return the post in a row of `posts`."""
    return Post(
        id=row["id"],
        content=row["content"],
        status=Status(row["status"]),
        posted_at=parsed_time(row["posted_at"]),
        error_message=row["error_message"],
        slot=row["slot"],
        tweet_id=row["tweet_id"],
        attempts=row["attempts"],
        sent_at=time_of(row["sent_at"]),
        since_id=row["since_id"],
        absent=row["absent"],
        absent_at=time_of(row["absent_at"]),
        duplicate=bool(row["duplicate"]),
        source_id=row["source_id"],
        topic=row["topic"],
        origin=row["origin"],
        opening=row["opening"],
        verified_at=time_of(row["verified_at"]),
        vanished_at=time_of(row["vanished_at"]),
        approved_at=time_of(row["approved_at"]),
        resolved_by=row["resolved_by"],
        created_at=time_of(row["created_at"]),
        not_before=time_of(row["not_before"]),
        queued_at=time_of(row["queued_at"]),
        place=row["place"],
    )


def to_run(row: sqlite3.Row) -> RunRecord:
    """Return the run in a row of `runs`."""
    outcome, reason = _outcome(row["outcome"])
    return RunRecord(
        row["slot"] or "",
        required_time(row["started"]),
        time_of(row["finished"]),
        row["exit_code"],
        outcome,
        row["message"] or "",
        numbers(row["metrics"]),
        reason,
    )


_HOLD = f"{RunOutcome.ON_HOLD}-"  # what the table puts before the reason of a hold


def stored_outcome(outcome: RunOutcome, reason: str) -> str:
    """Return the text that the `outcome` column holds: of a hold `nothing-due:hold-REASON`."""
    return f"{_HOLD}{reason}" if outcome is RunOutcome.ON_HOLD else outcome


def _outcome(stored: str | None) -> tuple[RunOutcome | None, str]:
    """Return the outcome and the reason of a hold that a stored text stands for; None for an unknown one."""
    if stored and stored.startswith(_HOLD):
        return RunOutcome.ON_HOLD, stored.removeprefix(_HOLD)
    return (RunOutcome(stored) if stored in set(RunOutcome) else None), ""


def to_attempt(row: sqlite3.Row) -> Attempt:
    """Return the attempt in a row of `attempts`."""
    return Attempt(
        row["slot"] or "",
        required_time(row["started"]),
        row["outcome"] or "",
        row["http_status"],
        row["reason"] or "",
        row["detail"] or "",
        row["latency_ms"] or 0,
    )


def numbers(text: str) -> dict[str, float]:
    """Return stored metrics, empty where they cannot be read."""
    try:
        return {str(name): float(value) for name, value in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def new_id(cursor: sqlite3.Cursor) -> int:
    """Return the id of the row that an INSERT has made."""
    return cursor.lastrowid or 0


def iso(moment: datetime) -> str:
    """Return a time as `posted_at` holds it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parsed_time(text: object) -> datetime | None:
    """Return a stored `posted_at`. One that the original program wrote has no zone and is taken as UTC."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def time_of(seconds: float | None) -> datetime | None:
    """Return the time that a column holds, None where it is empty."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def required_time(seconds: float) -> datetime:
    """Return the time that a column holds which is never empty."""
    return datetime.fromtimestamp(seconds, UTC)

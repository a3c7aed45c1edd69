"""`--dry-run`: the tweet that would be posted, its length, its cost, and the checks it passed."""

from __future__ import annotations

import argparse
from typing import Any

from src.commands.result import Result, show
from src.config import Settings
from src.content.tweet_text import MAX_WEIGHT, weighted_length
from src.domain import model_choice
from src.domain.posts import Post
from src.domain.runs import TickResult
from src.posting.due import Wait, price_of
from src.system import log
from src.x.claim import fix_text, note_text, title

CHECKS = (
    "length",
    "links",
    "mentions",
    "hashtags",
    "cashtags",
    "characters",
    "chat leftovers",
    "blocklist",
    "novelty",
)


def show_preview(
    options: argparse.Namespace,
    settings: Settings,
    tick: TickResult,
    post: Post | None,
    metrics: dict[str, float],
    wait: Wait | None = None,
) -> int:
    """Print the preview of one tick and return the tick's exit code; `wait` is why it is not due now."""
    if post is None:
        return _show_failure(options, settings.profile, tick)
    data = _data(settings, tick, post) | {"metrics": metrics, "exit_code": int(tick.exit_code)}
    data |= {"due": wait is None, "not_due": wait.message if wait else "", "outcome": wait and wait.outcome}
    heading = _heading(settings, wait)
    text = heading + "\n" + _text(post, data)
    return show(Result(data, text, tick.exit_code), as_json=options.json)


def _heading(settings: Settings, wait: Wait | None) -> str:
    """Return whether the text would go out now, and if not, why and when the next one may."""
    if wait is None:
        return "This would be posted now:"
    until = f" until {settings.shown(wait.until)}" if wait.until else ""
    return f"Not now: {wait.message}{until and f'; nothing is due{until}'}. The next post would be:"


def _data(settings: Settings, tick: TickResult, post: Post) -> dict[str, Any]:
    return {
        "content": post.content,
        "weighted_length": weighted_length(post.content),
        "max_length": MAX_WEIGHT,
        "cost_usd": price_of(post.content, settings),
        "origin": post.origin,
        "source_id": post.source_id,
        "topic": post.topic,
        "opening": post.opening,
        "mode": settings.mode_in_force,
        "openings": settings.openings,
        "model_left_out": settings.model_left_out or None,
        "checks": list(CHECKS),
        "notes": [note_text(note, settings.profile) for note in tick.notes],
    }


def _text(post: Post, data: dict[str, Any]) -> str:
    written = "vetted wording"
    if post.opening:
        written = f"opening {'by the model' if post.origin == 'model' else 'and body vetted'}"
    elif post.origin == "model":
        written = "written by the model"
    source = f"{post.source_id} ({post.topic}); {written}" if post.source_id else "a text of yours"
    if post.origin == "model" and not post.source_id:
        source = f"none ({post.topic}); {written}"
    return "\n".join(
        [
            "",
            *(f"    {line}" for line in post.content.splitlines()),
            "",
            f"length   {data['weighted_length']} of {MAX_WEIGHT} (X's weighted count)",
            f"cost     ${data['cost_usd']:.3f}",
            f"source   {source}",
            f"mode     the model {model_choice.role(data['mode'], data['openings'], data['model_left_out'])}",
            f"checks   passed: {', '.join(CHECKS)}",
            *(f"note     {note}" for note in data["notes"]),
            "Nothing was posted: this is a dry run.",
        ]
    )


def _show_failure(options: argparse.Namespace, profile: str, tick: TickResult) -> int:
    """Print why there is nothing to show: as JSON to standard output, otherwise to standard error."""
    message, fix = tick.message, fix_text(tick.fix, profile)
    if not options.json:
        log.say(f"{title(profile)}: {message}" + (f"\n  fix: {fix}" if fix else ""))
    data = {"content": None, "message": message, "fix": fix, "exit_code": int(tick.exit_code)}
    return show(Result(data, None, tick.exit_code), as_json=options.json)

"""What a dry run shows: the tweet, its weighted length, what it costs, and the checks it passed."""

from __future__ import annotations

import argparse
import json

from src.config import Settings
from src.content.tweet_text import MAX_WEIGHT, weighted_length
from src.domain.posts import Post
from src.domain.runs import TickResult
from src.posting.due import price_of
from src.system import log
from src.x.claim import named, title


def show(
    options: argparse.Namespace,
    settings: Settings,
    result: TickResult,
    post: Post | None,
    metrics: dict[str, float],
) -> int:
    """Print the preview of one tick; the tick's exit code."""
    if post is None:
        _print_failure(options, settings.profile, result)
        return int(result.exit_code)
    weight = weighted_length(post.content)
    price = price_of(post.content, settings)
    data = {
        "content": post.content,
        "weighted_length": weight,
        "max_length": MAX_WEIGHT,
        "cost_usd": price,
        "origin": post.origin,
        "source_id": post.source_id,
        "topic": post.topic,
        "opening": post.opening,
        "checks": list(CHECKS),
        "notes": [note.render() for note in result.notes],
        "metrics": metrics,
        "exit_code": int(result.exit_code),
    }
    if options.json:
        print(json.dumps(data))
        return int(result.exit_code)
    written = "vetted wording"
    if post.opening:
        written = f"opening {'by the model' if post.origin == 'model' else 'and body vetted'}"
    print(
        "\n".join(
            [
                "",
                *(f"    {log.sanitise(line)}" for line in post.content.splitlines()),
                "",
                f"length   {weight} of {MAX_WEIGHT} (X's weighted count)",
                f"cost     ${price:.3f}",
                f"source   {post.source_id} ({post.topic}); {written}",
                f"checks   passed: {', '.join(CHECKS)}",
                *(
                    f"note     {log.sanitise(named(note.render(), settings.profile))}"
                    for note in result.notes
                ),
                "Nothing was posted: this is a dry run.",
            ]
        )
    )
    return int(result.exit_code)


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


def _print_failure(options: argparse.Namespace, profile: str, result: TickResult) -> None:
    message, fix = named(result.message, profile), named(result.fix, profile)
    if options.json:
        print(
            json.dumps({"content": None, "message": message, "fix": fix, "exit_code": int(result.exit_code)})
        )
    else:
        log.say(f"{title(profile)}: {message}" + (f"\n  fix: {fix}" if fix else ""))

"""A simulated month for the report: real runs, the fake X, texts of the real library, the real gates.

Only the model is played: its openings are those of other statements, and its times are moved by the clock.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

from src import content_generator
from src.content import library as sources
from src.domain.notes import Note, NoteCode
from src.domain.texts import Composition
from src.model.client import Written
from tests import fake_x
from tests.fake_x import Stored
from tests.support.world import World


class Writer:
    """A composer that takes texts of the library, openings that the gates judge, and a model's figures."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world, self.rng = world, rng
        self.openings = [o for s in sources.load(world.settings.library_paths).statements for o in s.openings]

    def __call__(self, settings: Any, history: Any, now: Any, seconds: float) -> Composition:
        rng = self.rng
        plain = content_generator.compose(settings, history, now, seconds=seconds, use_model=False)
        library = {s.id: s for s in sources.load(settings.library_paths).statements}
        if plain.draft is None:
            return plain
        took = rng.gauss(2.6, 0.25)
        self.world.traveller.shift(timedelta(seconds=took))
        metrics = {
            **plain.metrics,
            "generate_seconds": round(took, 3),
            "tokens": 240.0,
            "tokens_per_second": round(rng.gauss(168, 9), 1),
            "model_peak_mb": round(rng.gauss(574, 2), 1),
        }
        if rng.random() < 0.01:
            return replace(
                plain,
                metrics={**metrics, "model_failed": 1.0},
                notes=(Note(NoteCode.MODEL_FAILED, "the model wrote nothing"),),
            )
        statement = library[plain.draft.source_id]
        text = plain.draft.content.rpartition("\n\n")[2]
        written = Written(
            tuple(
                sorted(
                    ((o, round(rng.gauss(0.2, 0.3), 2)) for o in rng.sample(self.openings, 12)),
                    key=lambda pair: -pair[1],
                )
            )
        )
        judged = content_generator.judge_all(frozenset(), written, statement, text, history)
        best = content_generator.best_of(judged, content_generator.GOOD_ENOUGH[True])
        draft = plain.draft
        if best:
            draft = replace(
                draft,
                content=content_generator.tweet(text, best.opening, "hook"),
                origin="model",
                opening=best.opening,
            )
        return Composition(draft, tuple(replace(c, chosen=c is best) for c in judged), (), metrics)


def attention(tweet: Stored) -> dict[str, int]:
    """Return the figures of a tweet as accounts have them: a long tail, few reactions, questions seen more."""
    rng = random.Random(tweet.text)
    asks = "?" in tweet.text.partition("\n")[0]
    impressions = int(rng.lognormvariate(4.9 + 0.6 * asks, 0.7))
    rates = {"like": 0.012, "retweet": 0.002, "reply": 0.001, "bookmark": 0.004, "quote": 0.0005}
    counts = {name: sum(rng.random() < rate for _ in range(impressions)) for name, rate in rates.items()}
    return {f"{name}_count": count for name, count in {"impression": impressions, **counts}.items()}


def simulate(world: World, hours: int, composer: Any = None) -> None:
    """Run hourly with what a month brings: lost answers, an outage, no credits, a night without power."""
    world.texts = composer or world.texts
    world.x.tweet_by_hand("An old tweet from before.")
    world.move(hours=2)
    at = {round(hours * share): what for share, what in EVENTS.items()}
    down = off = 0
    for hour in range(hours):
        event = at.get(hour, "")
        if event == "no credits":
            world.x.on_post(*[fake_x.no_credits()] * 3)
        elif event == "lost answer":
            world.x.on_post(fake_x.close(accept=True))
        elif event == "server error":
            world.x.on_post(fake_x.server_error(503, accept=False))
        elif event == "limit":
            world.x.on_post(fake_x.rate_limited(world.x.now() + 3000))
        down = 4 if event == "network down" else down - 1
        off = 5 if event == "power cut" else off - 1
        world.extra.pop("X_API_BASE_URL", None)
        if down > 0:
            world.extra["X_API_BASE_URL"] = "http://127.0.0.1:9"
        posted = sum(t.via == "api" and t.at > world.x.now() - 86400 for t in world.x.accepted)
        world.x.limits = {
            f"x-user-limit-24hour-{part}": str(value)
            for part, value in {
                "limit": 100,
                "remaining": 99 - posted,
                "reset": int(world.x.now()) + 86400,
            }.items()
        }
        if off <= 0:
            world.tick()
        minute = (world.x.now() % 3600) / 60
        world.move(minutes=60 + 7 - minute)


# At which share of the time something happens.
EVENTS = {
    0.08: "lost answer",
    0.2: "network down",
    0.36: "no credits",
    0.5: "server error",
    0.63: "power cut",
    0.8: "lost answer",
    0.9: "limit",
}

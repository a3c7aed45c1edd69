"""Random worlds: an X that lies, runs that are killed, clocks that jump, over real ticks; each is known by its number.

`python -m tests.support.worlds 17` plays world 17 again and prints what happens in it.
"""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from src.content.freshness import repeats_after
from src.domain.notes import Note, NoteCode
from src.domain.texts import Composition, Draft
from tests import fake_x
from tests.fake_x import Fault, Stored
from tests.support.library import library_read_once
from tests.support.lies import REFUSALS
from tests.support.scenarios import POSTS, TICK_NAMES, Stage, Tally, killer, memory_folder, quiet_tick
from tests.support.world import new_world

SHELF = 60  # texts
WORDS = """branch commit index merge remote stash table column trigger planner cursor socket buffer thread process signal
kernel packet header cookie token cache queue stack heap parser lexer module closure iterator generator decorator
container volume image layer mount pipe shell prompt alias regex glob locale timezone leap second daylight ledger
branchless vector matrix tensor gradient quorum replica shard snapshot journal checkpoint rollback""".split()
NAMES = tuple(n for n in TICK_NAMES if not n.startswith("settings."))
MINUTE = 60.0
READ_FAULTS: dict[str, Callable[[], Fault]] = {
    "not found": fake_x.not_found,
    "malformed": fake_x.malformed,
    "errors": fake_x.errors_200,
    "empty": fake_x.stale,
    "503": lambda: fake_x.server_error(503, accept=False),
    "401": fake_x.unauthorized,
    "429": lambda: fake_x.rate_limited(None),
    "lost": lambda: fake_x.close(accept=False),
}


def text_of(number: int) -> str:
    """Return a text of the shelf; every third has what X alone takes for a link."""
    words = random.Random(number).sample(WORDS, 9)
    if number % 3 == 0:
        words[4] += ".qqq_call"
    return f"{' '.join(words).capitalize()}."


class Shelf:
    """A composer that takes the first text that the history does not rule out: what is forgotten comes again at once."""

    texts = tuple(text_of(number) for number in range(SHELF))

    def __call__(self, settings: Any, history: Any, now: datetime, seconds: float) -> Composition:
        since = repeats_after(settings, now)
        for number, text in enumerate(self.texts):
            source = f"s-{number}"
            sent = history.sent.get(source, {}).get(text)
            used = history.last_used.get(source)
            rested = used is None or now - used >= timedelta(days=settings.cooldown_days)
            if rested and (sent is None or sent <= since):
                return Composition(Draft(text, "wording", source, "Git"))
        return Composition(None, notes=(Note(NoteCode.NO_TEXT_LEFT, "the shelf is empty"),))

    @classmethod
    def write(cls, folder: Path) -> dict[str, str]:
        """Write the shelf as a library, so that its tweets are recognised; return its settings."""
        file = folder / "shelf.jsonl"
        record = {"topic": "Git", "reference": "git(1)"}
        lines = (
            json.dumps({"id": f"s-{n}", "statement": text, **record}) for n, text in enumerate(cls.texts)
        )
        file.write_text("\n".join(lines), encoding="utf-8")
        return {"BUILTIN_LIBRARY": "false", "SOURCES": str(file), "COOLDOWN_DAYS": "1"}


@contextlib.contextmanager
def new_globe(folder: Path) -> Iterator[Stage]:
    """Make a stage for many worlds."""
    with (
        library_read_once(),
        new_world(folder, LOG_LEVEL="ERROR", MAX_POSTS_PER_DAY="100", **Shelf.write(folder)) as world,
    ):
        world.texts = Shelf()  # type: ignore[assignment]
        yield Stage(world)


@dataclass(frozen=True)
class Finding:
    """What is wrong at the end of a world: tweets of ours, unless another is named."""

    accepted: int = 0
    doubled: int = 0  # a second one in a slot
    repeated: int = 0  # a text twice
    forgotten: int = 0  # on X and not on record, a person's too
    strange: int = 0  # on record, but not as ours
    adopted: int = 0  # a person's tweet, on record as ours
    invented: int = 0  # on record, never on X
    stuck: int = 0
    unsound: bool = False
    silent: bool = False  # nothing is posted any more

    @property
    def good(self) -> bool:
        return replace(self, accepted=0) == Finding()


@dataclass(frozen=True)
class Kind:
    """What all worlds of a kind have: a slot and a lag of so many minutes, and settings of the `Liar`.

    `person` is what a person mostly does, `reads` how the timeline mostly fails; `refused` worlds have an X that
    refuses most posts, with one of the `answers`, and makes most of these tweets. `pauses` are minutes between
    two things that happen.
    """

    minutes: int = 0
    look: dict[str, Any] = field(default_factory=dict)
    lag: int = 0
    links: bool | None = None
    person: str = ""
    reads: str = ""
    refused: bool = False
    answers: tuple[str, ...] = ()
    pauses: tuple[int, ...] = (1, 2, 6, 11, 16, 16, 21, 31, 46, 60, 60, 60, 120, 700)
    loses_database: bool = False


ANY = Kind()


@dataclass
class Play:
    """One world while it is played."""

    stage: Stage
    number: int
    tally: Tally
    kind: Kind = ANY
    rng: random.Random = field(init=False)
    told: list[str] = field(default_factory=list)
    loses_database: bool = False
    reads_past: bool = False
    rewritten: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rng = rng = random.Random(self.number)
        warm = rng.random() < 0.85
        world = self.world = self.stage.reset(warm=warm)
        self.x = world.x
        self.minutes = rng.choice([60, 60, 60, 120, 1440, 1440, 30])
        self.minutes = self.kind.minutes or self.minutes
        world.extra["POST_INTERVAL_MINUTES"] = str(self.minutes)
        self.loses_database = rng.random() < 0.12 or self.kind.loses_database
        self.reads_past = self.loses_database or not warm
        self._let_x_lie()
        world.move(
            minutes=self.kind.minutes
        )  # a long slot that the past has used would leave no room for a post
        self.say(f"world {self.number}: a slot of {self.minutes} minutes, {self.x.look}")

    def say(self, words: str) -> None:
        self.told.append(f"{datetime.now(UTC):%d %H:%M:%S} {words}")

    def _let_x_lie(self) -> None:
        rng, x = self.rng, self.x
        lies = random.Random(rng.random())
        reads_past = self.reads_past  # what a new database is not shown of the past it can never know
        x.links = rng.random() < 0.5
        lag, each = rng.choice([0, 0, 1, 5, 10, 20, 20]) * MINUTE, rng.random() < 0.5
        lag = self.kind.lag * MINUTE or lag
        x.lag = (lambda: lies.uniform(0, lag)) if each else (lambda: lag)
        x.look = fake_x.Liar(
            lies,
            sizes=rng.choice([(), (), (1, 2, 3, 50), (2,), (7, 100), *([] if reads_past else [(0, 5, 100)])]),
            left_out=0.0 if reads_past else rng.choice([0.0, 0.0, 0.1, 0.3]),
            repeated=rng.choice([0.0, 0.2]),
            shuffled=rng.random() < 0.3,
            odd=0.0 if reads_past else rng.choice([0.0, 0.0, 0.1]),
        )
        if not reads_past:
            x.look = replace(x.look, **self.kind.look)
        x.links = x.links if self.kind.links is None else self.kind.links

    # ---- what happens ------------------------------------------------------------------------------------------

    def live(self) -> None:
        """Let things happen."""
        rng = self.rng
        steps: list[tuple[Callable[[], None], int]] = [
            (self.run, 12),
            (self.die, 6),
            (self.a_person, 6),
            (self.the_clock, 2),
            (self.the_timeline, 3),
            *([(self.the_database, 6 if self.kind.loses_database else 1)] if self.loses_database else []),
        ]
        for _ in range(rng.randrange(8, 16)):
            self.pass_time()
            rng.choices([step for step, _ in steps], [weight for _, weight in steps])[0]()

    def pass_time(self) -> None:
        self.world.move(minutes=self.rng.choice(self.kind.pauses))

    def answer(self) -> tuple[str, Fault]:
        """Return how X answers the next post: soundly, falsely, and what it makes of it."""
        rng = self.rng
        if rng.random() < (0.1 if self.kind.refused else 0.35):
            return "ok", fake_x.ok()
        if rng.random() < (0.0 if self.kind.refused else 0.5):
            name = rng.choice(sorted(POSTS))
            return name, POSTS[name]()
        name = rng.choice(self.kind.answers or sorted({**REFUSALS, "duplicate": fake_x.duplicate}))
        fault = {**REFUSALS, "duplicate": fake_x.duplicate}[name]()
        made = rng.choice(["at once", "not", "late", "late"])
        late = rng.choice([60.0, 240.0, 600.0]) if made == "late" else None
        return f"{name}, made {made}", replace(fault, accept=made == "at once", accept_late=late)

    def run(self, first: Callable[[], object] | None = None, words: str = "") -> None:
        """Make one run while X answers somehow."""
        name, fault = self.answer()
        self._run(name, fault, first, words)

    def _run(
        self, name: str, fault: Fault, first: Callable[[], object] | None = None, words: str = ""
    ) -> None:
        world, x = self.world, self.x
        x._faults["POST"].clear()
        x.on_post(fault)
        x.slot = str(int(datetime.now(UTC).timestamp()) // (60 * self.minutes))
        code = world.forked(first=first) if first else quiet_tick(world)
        x._faults["POST"].clear()
        self.tally.kills += code == -9
        self.tally.other["runs"] += 1
        self.say(f"run ({name}{words}): {code} {[row['status'] for row in self.rows()[-3:]]}")
        assert code in {-9, 0, 69, 74, 75, 76, 77}, (code, self.told)

    def rows(self) -> list[sqlite3.Row]:
        """Return the posts on record, none while the file is damaged."""
        with contextlib.suppress(sqlite3.DatabaseError):
            return self.world.rows()
        return []

    def die(self) -> None:
        name, nth = self.rng.choice(NAMES), self.rng.choice([1, 1, 2, 3])
        self.run(killer(name, nth), f", killed at {name}, time {nth}")

    def a_person(self) -> None:
        """A person tweets, replies with or quotes our words, edits or deletes."""
        rng, x = self.rng, self.x
        newest = rng.choice(self.ours()[-2:]) if self.ours() else None
        waiting = [r["content"] for r in self.rows() if r["status"] in {"sending", "unknown"}]
        words = rng.choice(waiting) if waiting else newest.text if newest else "Words"
        kind = rng.choices(
            ["tweets", "replies", "quotes", "edits", "rewrites", "deletes"], [4, 4, 2, 5, 1, 1]
        )[0]
        kind = self.kind.person if self.kind.person and rng.random() < 0.7 else kind
        self.say(f"a person {kind}")
        if kind == "tweets" or newest is None:
            x.tweet_by_hand(f"A person's thought number {len(x.accepted)}.")
        elif kind == "replies":
            x.tweet_by_hand(f"@friend {words}")
        elif kind == "quotes":
            x.tweet_by_hand(f"{words} https://t.co/a1B2c3D4e5")
        elif kind == "edits":
            x.edit_by_hand(newest.id, newest.text.replace(".", " here.", 1))
        elif kind == "rewrites":
            self.rewritten.add(newest.id)
            x.edit_by_hand(
                newest.id, f"Nothing of it was true, number {len(x.accepted)}, forget what I wrote!"
            )
        else:
            x.delete_by_hand(newest.id)

    def ours(self) -> list[Stored]:
        now = self.x.now()
        return [t for t in self.x.accepted if t.via == "api" and t.slot and t.at <= now and not t.deleted]

    def the_clock(self) -> None:
        self.world.jump(seconds=-self.world.skew)
        minutes = self.rng.choice([0, 0, 4, -4, 20, -20, 90, -90, 3 * 24 * 60])
        self.world.jump(minutes=minutes)
        self.say(f"the clock is {minutes} minutes ahead")

    def the_timeline(self) -> None:
        names = sorted(set(READ_FAULTS) - {"empty"} if self.reads_past else READ_FAULTS)
        name = self.rng.choice(names)
        name = self.kind.reads or name
        self.x.on_get(*[READ_FAULTS[name]()] * (12 if self.kind.reads else self.rng.choice([1, 2, 5])))
        self.say(f"the timeline: {name}")

    def the_database(self) -> None:
        if self.world.database.exists():
            if self.rng.random() < 0.5:
                self.world.database.unlink()
            else:
                self.world.database.write_bytes(b"SQLite format 3\0" + b"\xff" * 9000)
            self.say("the database is lost")

    # ---- how it ends -------------------------------------------------------------------------------------------

    def heal(self) -> None:
        """Let X show what it has, set the clock right, and let two days pass."""
        world, x = self.world, self.x
        world.jump(seconds=-world.skew)
        x.look, x.lag = fake_x.Honest(), lambda: 0.0
        x._faults["GET"].clear()
        for minutes in (1, 21, 46, 60, 25 * 60, 25 * 60, 60):
            world.move(minutes=minutes)
            self._run("ok", fake_x.ok())

    def judge(self) -> Finding:
        """Compare what X holds with what is on record."""
        rows = self.rows()
        posted = {
            row["tweet_id"]: row["origin"] for row in rows if row["status"] == "posted" and row["tweet_id"]
        }
        live = [t for t in self.x.accepted if not t.deleted]
        mine = [t for t in live if t.via == "api"]
        ids = {i for t in self.x.accepted if t.via == "api" for i in t.ids}
        origins = {t.id: [posted[i] for i in t.ids if i in posted] for t in live}
        strange = (t for t in mine if "import" in origins[t.id] and t.id not in self.rewritten)
        texts = [t.text for t in mine if t.id not in self.rewritten]  # a rewritten one is on X no more
        for tweet in (t for t in live if not origins[t.id]):
            self.say(f"not on record: {tweet}")
        slots = Counter(t.slot for t in mine if t.slot)
        return Finding(
            accepted=sum(t.via == "api" and bool(t.slot) for t in self.x.accepted),
            doubled=sum(n - 1 for n in slots.values()),
            repeated=sum(n - 1 for n in Counter(texts).values()),
            forgotten=sum(not found for found in origins.values()),
            strange=0 if self.loses_database else sum(1 for _ in strange),
            adopted=sum(
                origin in {"model", "wording", "person"} and i not in ids for i, origin in posted.items()
            ),
            invented=len(set(posted) - {i for t in self.x.accepted for i in t.ids}),
            stuck=sum(row["status"] == "sending" for row in rows),
            unsound=bool(rows) and self.world.rows("PRAGMA integrity_check")[0][0] != "ok",
            silent=not self._posts_again(),
        )

    def _posts_again(self) -> bool:
        before = len(self.x.accepted)
        for _ in range(3):
            self.world.move(minutes=self.minutes)
            self._run("ok", fake_x.ok())
            if len(self.x.accepted) > before:
                return True
        return False


def play(stage: Stage, number: int, tally: Tally, kind: Kind = ANY) -> list[str]:
    """Play a world to its end; return its story. Raise AssertionError with the story if a promise is broken."""
    game = Play(stage, number, tally, kind)
    game.live()
    game.heal()
    found = game.judge()
    tally.scenarios += 1
    tally.accepted += found.accepted
    tally.doubled += found.doubled + found.repeated
    tally.unrecorded += found.forgotten
    story = "\n".join([*game.told, str(found)])
    assert found.good, story
    return game.told


def play_all(numbers: Iterable[int], kind: Kind = ANY) -> Tally:
    """Play these worlds."""
    tally = Tally()
    with memory_folder() as folder, new_globe(folder) as stage:
        for number in numbers:
            play(stage, number, tally, kind)
    return tally


def first_broken(folder: Path, numbers: Iterable[int], **kind: Any) -> tuple[int | None, str]:
    """Play these worlds until one breaks a promise; return its number and its story, None if all are good."""
    with new_globe(folder) as stage:
        for number in numbers:
            try:
                play(stage, number, Tally(), Kind(**kind))
            except AssertionError as error:
                return number, str(error)
    return None, ""


def main(numbers: list[str]) -> None:
    """Play the worlds that are named and print their stories."""
    with memory_folder() as folder, new_globe(folder) as stage:
        for number in numbers:
            print("\n".join(play(stage, int(number), Tally())))


if __name__ == "__main__":
    main(sys.argv[1:])

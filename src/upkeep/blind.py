"""A blind reading: a shuffled sheet of drafts without its key, the key beside it, and what a filled one says.

The sheet has one JSON object a line; whoever fills it reads the texts in order and does not know who wrote an
opening:

    {"n": 1, "text": "...", "read_on": "", "post": ""}

`read_on` becomes yes, filler or odd, `post` becomes yes, awkward, wrong or pointless. The key names the
statement, who wrote the opening (model, hand, nobody), whether the model was taught that statement, and
whether its opening stands in a lesson word for word.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.config import Settings
from src.content import safety
from src.content.freshness import EVER, joined
from src.content.library import Statement
from src.content_generator import vetted_opening
from src.domain.errors import UsageError
from src.domain.fixes import Fix, command
from src.domain.plurals import numbered
from src.domain.texts import History
from src.model.tune import read_lessons
from src.system.files import as_storage_error, read_regular, reason_of, write_atomically
from src.upkeep.evaluation import Evaluation
from src.watch.report.results import share_of
from src.watch.report.results_text import share_text

READ_ON = ("yes", "filler", "odd")
POST = ("yes", "awkward", "wrong", "pointless")
MODEL, HAND, NOBODY = "model", "hand", "nobody"
TAUGHT, UNTAUGHT, WITHOUT_OPENINGS = "taught", "untaught", "without openings"
MOST_BYTES = 20_000_000
ERROR = 0.05  # the share of intervals that may miss
_FIX_SHEET = Fix("keep each line as ", command("evaluate --blind"), " wrote it, and fill in the two answers")


@dataclass(frozen=True, slots=True)
class Draft:
    """One text as it would be posted, and what the key says of it."""

    id: str
    text: str
    by: str
    statement: str
    recited: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """The answers about a group of drafts: how many were read, and how often each answer was given."""

    name: str
    read: int
    read_on: Mapping[str, int]
    post: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Score:
    """What a filled sheet says: drafts in all, how many the model led, and the groups with any answer."""

    drafts: int
    led: int
    tallies: tuple[Tally, ...]

    def as_data(self) -> dict[str, object]:
        """Plain data for JSON; an interval is low, middle, high, null for fewer than 12 drafts."""
        return {
            "drafts": self.drafts,
            "led_by_model": self.led,
            "led_share": _interval(self.led, self.drafts),
            "groups": [
                {
                    "name": t.name,
                    "read": t.read,
                    "read_on": dict(t.read_on),
                    "post": dict(t.post),
                    "read_on_share": _interval(t.read_on["yes"], t.read),
                    "post_share": _interval(t.post["yes"], t.read),
                }
                for t in self.tallies
            ],
        }


def drafts_of(settings: Settings, statements: Iterable[Statement], result: Evaluation) -> Iterator[Draft]:
    """Yield what would be posted of an evaluation: the model's opening where it leads, else a vetted one."""
    blocked = safety.read_words(settings.blocklist_file)
    by_id, lessons = {s.id: s for s in statements}, read_lessons()
    for one in result.results:
        statement = by_id[one.id]
        hand = "" if one.opening else vetted_opening(blocked, statement, one.text, History(), EVER) or ""
        by = MODEL if one.opening else HAND if hand else NOBODY
        text = one.tweet if one.opening else joined(hand, one.text)
        recited = one.opening in lessons.get(one.id, ())
        yield Draft(one.id, text, by, _kind(statement, held_out=one.held_out), recited)


def _kind(statement: Statement, *, held_out: bool | None) -> str:
    """Return what the model was taught of a statement; without lessons (None) it was taught nothing."""
    if not statement.openings:
        return WITHOUT_OPENINGS
    return TAUGHT if held_out is False else UNTAUGHT


def key_of(sheet: Path) -> Path:
    """Return where the key of a sheet lies: `sheet.jsonl` has `sheet.key.jsonl`."""
    return sheet.with_name(f"{sheet.stem}.key{sheet.suffix}")


def write(sheet: Path, drafts: Iterable[Draft], order: random.Random | None = None) -> Path:
    """Write the drafts in random order and their key beside it; return the key's path.

    Raises `UsageError` where one of the files is there already.
    """
    refuse_taken(sheet)
    key = key_of(sheet)
    shuffled = list(drafts)
    (order or random.SystemRandom()).shuffle(shuffled)
    numbered = list(enumerate(shuffled, start=1))
    rows = [{"n": n, "text": d.text, "read_on": "", "post": ""} for n, d in numbered]
    answers = [
        {"n": n, "id": d.id, "by": d.by, "statement": d.statement, "recited": d.recited} for n, d in numbered
    ]
    with as_storage_error(f"cannot write {sheet}", Fix("name a file in a folder that you may write to")):
        write_atomically(key, _lines(answers))
        write_atomically(sheet, _lines(rows))
    return key


def refuse_taken(sheet: Path) -> None:
    """Raise `UsageError` where a sheet or its key is there already: it may be filled."""
    if taken := [path for path in (sheet, key_of(sheet)) if path.exists()]:
        message = f"{taken[0]} exists already"
        raise UsageError(message, Fix("name a new file"))


def _lines(rows: Iterable[Mapping[str, object]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def score(sheet: Path) -> Score:
    """Return what a filled sheet says. Raises `UsageError` for answers that are none, by their line."""
    filled, key = _read(sheet), _read(key_of(sheet))
    if filled.keys() != key.keys():
        message = f"{sheet} and {key_of(sheet)} have different numbers"
        raise UsageError(message, Fix("keep every line of the sheet, also those without an answer"))
    problems = [
        f"{sheet}: draft {n}: {name!r} must be {', '.join(known)} or empty, not {row.get(name)!r}"
        for n, row in filled.items()
        for name, known in (("read_on", READ_ON), ("post", POST))
        if row.get(name) not in (*known, "")
    ]
    if problems:
        raise UsageError("\n".join(problems), _FIX_SHEET)
    pairs = [(key[n], row) for n, row in filled.items() if row["read_on"] or row["post"]]
    tallies = (_tally(name, [row for by, row in pairs if wanted(by)]) for name, wanted in _GROUPS)
    led = sum(row.get("by") == MODEL for row in key.values())
    return Score(len(key), led, tuple(t for t in tallies if t.read))


def _model(**wanted: object) -> Callable[[Mapping[str, Any]], bool]:
    expected = {"by": MODEL, **wanted}
    return lambda row: all(row.get(name) == value for name, value in expected.items())


_GROUPS: tuple[tuple[str, Callable[[Mapping[str, Any]], bool]], ...] = (
    ("all", lambda _row: True),
    ("opening by hand", lambda row: row.get("by") == HAND),
    ("no opening", lambda row: row.get("by") == NOBODY),
    ("opening by the model", _model()),
    ("... statement taught", _model(statement=TAUGHT)),
    ("... statement untaught", _model(statement=UNTAUGHT)),
    ("... record without openings", _model(statement=WITHOUT_OPENINGS)),
    ("... in its own words", _model(recited=False)),
    ("... recited from a lesson", _model(recited=True)),
)


def _tally(name: str, rows: Collection[Mapping[str, Any]]) -> Tally:
    counts = [Counter(row[question] for row in rows) for question in ("read_on", "post")]
    answers = [{a: count[a] for a in known} for count, known in zip(counts, (READ_ON, POST), strict=True)]
    return Tally(name, len(rows), *answers)


def _read(path: Path) -> dict[int, dict[str, Any]]:
    """Return the rows of a sheet or a key by their numbers. Raises `UsageError`."""
    try:
        text = read_regular(path, MOST_BYTES)
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read: {reason_of(error)}"
        raise UsageError(
            message, Fix("name a sheet of ", command("evaluate --blind"), ", with its key beside it")
        ) from error
    rows: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        row = _row(line)
        if row is None or row["n"] in rows:
            message = f"{path}:{number}: is no line of a sheet, or its number stands twice"
            raise UsageError(message, _FIX_SHEET)
        rows[row["n"]] = row
    return rows


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and isinstance(row.get("n"), int) else None


def _interval(hits: int, count: int) -> list[float] | None:
    share = share_of(hits, count, ERROR)
    return [round(value, 4) for value in (share.low, share.middle, share.high)] if share else None


def as_text(result: Score) -> str:
    """Return the counts for people, a group a line, with 95 % intervals where a dozen was read."""
    led = f"{numbered(result.drafts, 'draft')}, the model led {_share(result.led, result.drafts)}"
    return "\n".join([led, *map(_tally_line, result.tallies)])


def _tally_line(tally: Tally) -> str:
    read_on = f"read on {_share(tally.read_on['yes'], tally.read)}, {_rest(tally.read_on)}"
    post = f"post as is {_share(tally.post['yes'], tally.read)}, {_rest(tally.post)}"
    return f"{tally.name:<28} {read_on}; {post}"


def _share(hits: int, count: int) -> str:
    share = share_of(hits, count, ERROR)
    return f"{hits} of {count}" + (f", {share_text(share)}" if share else "")


def _rest(answers: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {answer}" for answer, count in answers.items() if answer != "yes")

"""The library: vetted statements, one JSON record a line, and every broken record with its file and line.

A record is true before it is a tweet: it carries the reference that proves it, and where it can be executed
the test suite executes it. Owners add files of the same form with `SOURCES`.

    {"id": "git-reflog", "topic": "Git", "statement": "git reflog records ...", "wordings": ["..."],
     "openings": ["Lost a commit after a bad reset?"], "hashtags": ["git"], "reference": "git-reflog(1)",
     "since": "Git 2.23", "proof": {"run": "bash", "code": "...", "expect": "..."}}

`wordings` say the same thing in other words, `openings` are hand-written leads for when the model has none
good enough; both, `since` and `proof` are optional. So are "not_before" and "not_after", the first and the
last day on which the record may be posted, as 2026-12-24, and `pattern`, the form of the statement
(`PATTERNS`). A statement or wording may have lines: code, a terminal, an error message stand on their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path

from src.config import ROOT
from src.content import safety
from src.content.intake import MAX_CHARACTERS, composed, read_file, shortened
from src.content.tweet_text import (
    find_cashtags,
    find_forbidden_characters,
    find_hashtags,
    find_links,
    find_mentions,
    weighted_length,
)
from src.domain.fixes import Fix, env_file

# Its texts pass the gates in the tests; asking again would take seconds of each run.
_SHIPPED = ROOT / "data" / "library"
MAX_RECORD = 64_000  # characters of a line
MAX_STATEMENT = 200
MAX_OPENING = 72
MAX_WORDINGS = 3
MAX_TOPIC = 60
MAX_LINES = 8
MAX_INDENT = 8
PROOF_RUNNERS = (
    "python",
    "sqlite",
    "bash",
    "git",
    "node",
    "php",
    "ruby",
    "c",
    "java",
    "go",
    "rust",
    "typescript",
    "postgresql",
)
# The forms of a statement besides an opening and a sentence; docs/texts.md says what each is.
PATTERNS = ("symptom", "terminal", "measured", "layer", "before-after", "sentence")
_ENDS_IN_CODE = ("terminal", "before-after")
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9]{1,29}")
_KEYS = {"id", "topic", "statement", "wordings", "openings", "hashtags", "reference", "since", "proof"} | {
    "not_before",
    "not_after",
    "pattern",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One vetted statement. `texts` is the statement and its wordings, each fit to be posted alone."""

    id: str
    topic: str
    statement: str
    wordings: tuple[str, ...] = ()
    openings: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    reference: str = ""
    since: str = ""
    proof: dict[str, str] = field(default_factory=dict)
    not_before: date | None = None
    not_after: date | None = None
    pattern: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.statement, *self.wordings)


FIX_EMPTY = Fix("set BUILTIN_LIBRARY=true, or name a file of statements (SOURCES) in ", env_file())


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one record: `file:line`, the record's id where it has one, and what to change."""

    where: str
    record: str
    message: str

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.record}: {self.message}" if self.record else f"{self.where}: {self.message}"
        )


@dataclass(frozen=True, slots=True)
class Library:
    """What was read: the sound statements, and a `Problem` for every record that was left out."""

    statements: tuple[Statement, ...]
    problems: tuple[Problem, ...]

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(sorted({s.topic for s in self.statements}))


def load(paths: Iterable[Path]) -> Library:
    """Return what library files, and folders of `*.jsonl`, hold, in order.

    A bad file becomes a problem, not an error. A text that the gates refuse whatever was posted before is a
    problem of its record. What the owner's blocklist forbids is none: it is left out when a text is chosen.
    """
    statements: list[Statement] = []
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for path in _files(paths):
        for where, line in _lines(path, problems):
            record, read = _read(line)
            found = list(read)
            if record and path.parent != _SHIPPED:
                found += _gate_problems(record)
            if record and record.id in seen:
                found.append(f"the id is used already at {seen[record.id]}")
            name = (
                record.id if record and _ID.fullmatch(record.id) else ""
            )  # anything else could write to the terminal
            problems += [Problem(where, name, message) for message in found]
            if record and not found:
                seen[record.id] = where
                statements.append(record)
    return Library(tuple(statements), tuple(problems))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        try:
            folder = path.is_dir()
        except OSError:  # a folder that this user may not enter: reported where the file is read
            folder = False
        yield from sorted(path.glob("*.jsonl")) if folder else (path,)


def _lines(path: Path, problems: list[Problem]) -> Iterator[tuple[str, str]]:
    try:
        text = read_file(path)
    except (OSError, ValueError) as error:
        problems.append(Problem(str(path), "", f"cannot be read: {_why_unread(error)}"))
        return
    for number, written in enumerate(text.split("\n"), start=1):
        line = written.removeprefix("\ufeff")  # of a second file that was put behind the first
        if line.strip() and not line.startswith("//"):
            yield f"{path}:{number}", line


def _why_unread(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "it does not exist"
    return (isinstance(error, OSError) and error.strerror) or str(error)


@lru_cache(maxsize=4096)  # a run that reads the account's history asks the library twice
def _read(line: str) -> tuple[Statement | None, tuple[str, ...]]:
    """Return the record that a line holds, if it is one, and what is wrong with it."""
    if len(line) > MAX_RECORD:
        return None, (f"has {len(line):,} characters; at most {MAX_RECORD:,}",)
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        return None, (f"is not JSON: {error}",)
    if not isinstance(data, dict):
        return None, ("is not a JSON object",)
    if problems := tuple(_shape_problems(data)):
        return None, problems
    record = Statement(
        id=data["id"],
        topic=composed(data["topic"]),
        statement=composed(data["statement"]),
        wordings=tuple(map(composed, data.get("wordings", ()))),
        openings=tuple(map(composed, data.get("openings", ()))),
        hashtags=tuple(data.get("hashtags", ())),
        reference=composed(data["reference"]),
        since=composed(data.get("since", "")),
        proof=dict(data.get("proof", {})),
        not_before=_date(data.get("not_before")),
        not_after=_date(data.get("not_after")),
        pattern=str(data.get("pattern", "")),
    )
    return record, tuple(_content_problems(record))


def read_record(line: str) -> tuple[Statement | None, tuple[str, ...]]:
    """Return the record that a line of an owner's file would be, and everything that is wrong with it."""
    record, problems = _read(line)
    return record, (*problems, *(_gate_problems(record) if record else ()))


def _shape_problems(data: dict[str, object]) -> Iterator[str]:
    for key in sorted(set(data) - _KEYS):
        yield f"unknown key {shortened(key)}; the keys are {', '.join(sorted(_KEYS))}"
    for key in ("id", "topic", "statement", "reference"):
        if not isinstance(data.get(key), str) or not str(data[key]).strip():
            yield f"{key!r} must be a text that is not empty"
    for key in ("wordings", "openings", "hashtags"):
        value = data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            yield f"{key!r} must be a list of texts"
            continue
        long = [item for item in value if len(item) > MAX_CHARACTERS]
        yield from (
            f"a text of {key!r} has {len(item):,} characters; at most {MAX_CHARACTERS:,}" for item in long
        )
    for key in ("id", "topic", "statement", "reference", "since"):
        value = data.get(key, "")
        if isinstance(value, str) and len(value) > MAX_CHARACTERS:
            yield f"{key!r} has {len(value):,} characters; at most {MAX_CHARACTERS:,}"
    if not isinstance(data.get("since", ""), str):
        yield "'since' must be a text"
    for key in ("not_before", "not_after"):
        if key in data and _date(data[key]) is None:
            yield f"{key!r} must be a date such as 2026-12-24, not {shortened(str(data[key]))}"
    if (pattern := data.get("pattern", "")) != "" and pattern not in PATTERNS:
        yield f"'pattern' must be one of {', '.join(PATTERNS)}"
    proof = data.get("proof", {})
    if not isinstance(proof, dict) or not all(isinstance(value, str) for value in proof.values()):
        yield "'proof' must be an object of texts"
    elif proof and (proof.get("run") not in PROOF_RUNNERS or not proof.get("code")):
        yield f"'proof' needs 'code' and a 'run' out of {', '.join(PROOF_RUNNERS)}"


def _date(value: object) -> date | None:
    """Return the date that a record holds, None without one or for anything else."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return None


def _content_problems(record: Statement) -> Iterator[str]:
    if record.not_before and record.not_after and record.not_before > record.not_after:
        yield f"'not_after' {record.not_after} is before 'not_before' {record.not_before}"
    if not _ID.fullmatch(record.id):
        yield "'id' must be lower-case words joined by hyphens"
    if len(record.wordings) > MAX_WORDINGS:
        yield f"has {len(record.wordings)} wordings; at most {MAX_WORDINGS}"
    if len({" ".join(t.lower().split()) for t in record.texts}) < len(record.texts):
        yield "says the same wording twice"
    for tag in record.hashtags:
        if not _TAG.fullmatch(tag):
            yield f"hashtag {tag!r} must be 2 to 30 letters and digits without the '#'"
        elif is_blocked_tag(tag):
            yield f"hashtag {tag!r} has a word of the blocklist"
    for name, value in (("topic", record.topic), ("reference", record.reference), ("since", record.since)):
        if found := find_forbidden_characters(value):
            yield f"forbidden character {found[0]!r} in {name!r}"
    yield from (f"{reason} in topic {record.topic!r}" for reason in text_problems(record.topic, MAX_TOPIC))
    for text in record.texts:
        yield from (f"{reason} in {text!r}" for reason in text_problems(text, MAX_STATEMENT, MAX_LINES))
        if text == record.statement and record.pattern in _ENDS_IN_CODE:
            continue
        if not text.rstrip("\"')").endswith((".", "!", "?")):
            yield f"no full stop at the end of {text!r}"
    for opening in record.openings:
        yield from (f"{reason} in opening {opening!r}" for reason in text_problems(opening, MAX_OPENING))
        if not opening.endswith(("?", ".", "!", ":", "…")):
            yield f"no end mark on opening {opening!r}"


def _gate_problems(record: Statement) -> Iterator[str]:
    """Yield why the gates would refuse a text of a record, beyond what `text_problems` names."""
    known = {"link", "mention", "hashtag", "cashtag", "forbidden-character"}
    for text in (record.topic, *record.texts, *record.openings):
        for reason in safety.reasons(text):
            if reason.code not in known:
                yield f"{reason.code}{f' ({reason.detail})' if reason.detail else ''} in {text!r}"


@lru_cache(maxsize=1024)
def is_blocked_tag(tag: str, extra: frozenset[str] = frozenset()) -> bool:
    """Return whether a hashtag has a forbidden word. It joins the text after the gates."""
    return bool(safety.blocked_words(tag, extra))


def text_problems(text: str, limit: int, lines: int = 1) -> Iterator[str]:
    """Yield why `text` may not be posted as it stands: size, lines, links, mentions, tags, characters."""
    if len(text) > MAX_CHARACTERS:
        yield f"has {len(text):,} characters, at most {MAX_CHARACTERS:,}"
        return
    if (weight := weighted_length(text)) > limit:
        yield f"weighs {weight}, at most {limit}"
    if (count := text.count("\n") + 1) > max(lines, 1) and lines > 1:
        yield f"has {count} lines, at most {lines}"
    if not _is_tidy(text, lines):
        yield "stray white space"
    for name, find in (
        ("link or bare domain", find_links),
        ("mention", find_mentions),
        ("hashtag", find_hashtags),
        ("cashtag", find_cashtags),
        ("forbidden character", find_forbidden_characters),
    ):
        if found := find(text):
            yield f"{name} {found[0]!r}"


def _is_tidy(text: str, lines: int) -> bool:
    """Return whether the white space is single spaces, and line feeds and indents where lines are allowed."""
    if lines == 1:
        return text == " ".join(text.split())
    first, *rest = text.split("\n")
    bare = [first, *(line[min(len(line) - len(line.lstrip(" ")), MAX_INDENT) :] for line in rest)]
    return all(line and line == " ".join(line.split()) for line in bare)

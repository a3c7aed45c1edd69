"""A statement of the owner's becomes a checked record of a library file, without anybody typing JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path

from src.config import ROOT, Settings
from src.content.intake import composed, read_file
from src.content.library import Library, Statement, read_record
from src.domain.errors import ConfigError, UsageError
from src.domain.fixes import Fix, env_file
from src.system.files import absolute, write_atomically

_WORDS_OF_AN_ID = 5


def file_of(settings: Settings) -> Path:
    """Return the owner's file that new statements go to: the first of SOURCES that is no folder."""
    places = [absolute(Path(source), ROOT) for source in settings.sources]
    for place in places:
        if not place.is_dir():
            return place
    if places:
        return places[0] / "own.jsonl"
    message = "SOURCES names no file of yours yet"
    raise ConfigError(message, Fix("put this into ", env_file(), ": SOURCES=data/own.jsonl"))


def make_record(
    library: Library, statement: str, topic: str, reference: str, openings: Collection[str]
) -> tuple[str, Statement]:
    """Return the line and the record of a statement. Raises `UsageError` with everything that is wrong."""
    data = {
        "id": _new_id(statement, {s.id for s in library.statements}),
        "topic": composed(topic.strip()),
        "statement": composed(statement.strip()),
        **({"openings": [composed(o.strip()) for o in openings]} if openings else {}),
        "reference": composed(reference.strip()),
    }
    line = json.dumps(data, ensure_ascii=False)
    record, problems = read_record(line)
    if record is None or problems:
        message = "this is no record yet: " + "; ".join(problems)
        raise UsageError(message, Fix("change what it names; docs/texts.md has the rules"))
    if any(record.statement in known.texts for known in library.statements):
        message = "the library has this statement already"
        raise UsageError(message, Fix("nothing to do"))
    return line, record


def append(path: Path, line: str) -> None:
    """Put a line at the end of a library file, which is made if it is missing, whole or not at all."""
    try:
        text = read_file(path) if path.exists() else ""
        kept = f"{text}\n" if text and not text.endswith("\n") else text
        write_atomically(path, f"{kept}{line}\n", mode=path.stat().st_mode & 0o777 if text else 0o600)
    except (OSError, ValueError) as error:
        message = f"{path} cannot be written: {error}"
        raise ConfigError(message, Fix("make the file and its folder writable for this user")) from error


def _new_id(statement: str, taken: Collection[str]) -> str:
    """Return a free id made of the first words of a statement."""
    words = re.findall(r"[a-z0-9]+", statement.lower())[:_WORDS_OF_AN_ID] or ["statement"]
    name = "own-" + "-".join(words)
    number = 2
    unique = name
    while unique in taken:
        unique, number = f"{name}-{number}", number + 1
    return unique

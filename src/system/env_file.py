"""Reading of `.env` files: every line is understood or reported, none is dropped in silence."""

from __future__ import annotations

import difflib
import io
from collections.abc import Collection
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from src.domain.errors import ConfigError
from src.system import profiles
from src.system.files import read_private, read_regular, reason_of

FILE_SUFFIX = "_FILE"  # of a variable that gives a secret by file
MAX_SECRET_BYTES = 10_000  # no key of X has more than a few hundred


def parse(text: str) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """Return the settings of a `.env`, the last of a name, and (line, problem) for what cannot be read.

    A problem never repeats the line: it may hold a secret.
    """
    values: dict[str, str] = {}
    problems: list[tuple[int, str]] = []
    for binding in parse_stream(io.StringIO(text)):
        line = binding.original.line + _leading_breaks(binding.original.string)
        if problem := _problem(binding):
            problems.append((line, problem))
        elif binding.key is not None:
            values[binding.key] = binding.value or ""
    return values, problems


def _problem(binding: Binding) -> str:
    if binding.error:
        return "cannot be read; is a quote not closed?"
    if binding.key is None:
        return ""
    if binding.value is None:
        return "has a name without ="
    if "\n" in binding.value or "\r" in binding.value:
        return "has a value over several lines; is a quote not closed?"
    return ""


def _leading_breaks(text: str) -> int:
    """Return how many empty lines the parser has put before a line."""
    return text[: len(text) - len(text.lstrip())].count("\n")


def read(
    path: Path, root: Path, profile: str, problems: list[str], public: Collection[str]
) -> dict[str, str]:
    """Return the settings of a `.env`; add what is wrong to `problems`. Raise for a missing profile.

    Others may read a file that sets only what `public` names.
    """
    try:
        text = read_private(path, lambda text: _holds_secret(text, public))
    except FileNotFoundError as error:
        if profile:
            raise profiles.missing(path.parents[2], profile, root / ".env.example") from error
        if path != root / ".env":
            problems.append(f"ENV_FILE: {path} does not exist")
        return {}
    except ConfigError as error:
        problems.append(f"{path}: {error}; {error.fix.render()}")
        return {}
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path}: {error}")
        return {}
    values, unreadable = parse(text)
    problems += [f"{path}, line {line}: {problem}" for line, problem in unreadable]
    return values


def _holds_secret(text: str, public: Collection[str]) -> bool:
    """Return whether a `.env` may hold a secret: in a setting that is one, a misspelt one, a broken line."""
    values, unreadable = parse(text)
    return bool(unreadable) or any(value and name not in public for name, value in values.items())


def read_secret(name: str, values: dict[str, str], problems: list[str]) -> None:
    """Put a secret that `NAME_FILE` names a file of into `values`; add why not to `problems`."""
    source = values.pop(name + FILE_SUFFIX, "")
    if not source or values.get(name):
        return
    try:
        values[name] = read_regular(Path(source), MAX_SECRET_BYTES).strip()
    except (OSError, ValueError) as error:
        shown = source if "/" in source else "(not shown: it has no /)"  # the key itself, by mistake
        problems.append(f"{name}{FILE_SUFFIX}: {shown} cannot be read: {reason_of(error)}")


def nearest(name: str, known: set[str]) -> str:
    """Return a hint to the setting that was meant, empty where none is near."""
    close = difflib.get_close_matches(name.lower(), sorted(known), n=1)
    return f"; did you mean {close[0].upper()}?" if close else ""

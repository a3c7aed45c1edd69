"""What the owner can do about a failure, as values: text, commands of this program, the settings file.

A fix is built where the failure is known and rendered once, at the edge, where the profile is known: a
command then names the profile, and the settings file is the profile's own. Nothing searches or rewrites a
finished text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PROGRAM = "python -m src.twitter_manager"


@dataclass(frozen=True, slots=True)
class Command:
    """A command of this program. `whole` prints the line to type instead of its words in backquotes."""

    words: str
    whole: bool = False

    def render(self, profile: str) -> str:
        """Return the command as the owner of `profile` types it; an empty profile is the default account."""
        chosen = f"--profile {profile}" if profile else ""
        if self.whole:
            return " ".join(filter(None, [PROGRAM, chosen, self.words]))
        return f"`{' '.join(filter(None, [self.words, chosen]))}`"


@dataclass(frozen=True, slots=True)
class EnvFile:
    """The file of settings: `.env`, or the profile's own."""


Part = str | Command | EnvFile


class Fix:
    """A sentence made of parts, false where it is empty. A fix may be a part. Equal parts are equal fixes."""

    __slots__ = ("parts",)

    def __init__(self, *parts: Part | Fix) -> None:
        flat = (inner for part in parts for inner in (part.parts if isinstance(part, Fix) else (part,)))
        self.parts: tuple[Part, ...] = tuple(part for part in flat if part != "")

    def __bool__(self) -> bool:
        return bool(self.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fix) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)

    def __repr__(self) -> str:
        return f"Fix{self.parts!r}"

    def render(self, profile: str = "", env_file: str = ".env") -> str:
        """Return the sentence for the owner of `profile`, whose settings are in `env_file`."""
        return "".join(_render(part, profile, env_file) for part in self.parts)

    def as_data(self) -> list[str | dict[str, str]]:
        """Return the parts as plain data to be stored.

        A part is a text, `{"command": ...}`, `{"line": ...}` or `{"file": "env"}`.
        """
        return [_to_data(part) for part in self.parts]

    @classmethod
    def from_data(cls, data: object) -> Fix:
        """Return the fix that `as_data` made. Raise `ValueError` for anything else.

        A text that an older version stored is one part.
        """
        if isinstance(data, str):
            return cls(data)
        if not isinstance(data, Sequence):
            message = "not the parts of a fix"
            raise ValueError(message)  # noqa: TRY004 (what was stored is wrong, not what was passed)
        return cls(*map(_from_data, data))


NO_FIX = Fix()


def command(words: str) -> Command:
    """Return a command to be named within a sentence, as `drafts list`."""
    return Command(words)


def line(words: str) -> Command:
    """Return a command to be typed as a whole line, as `python -m src.twitter_manager drafts list`."""
    return Command(words, whole=True)


def env_file() -> EnvFile:
    """Return the file of settings, to be named within a sentence."""
    return EnvFile()


def _render(part: Part, profile: str, env_file: str) -> str:
    if isinstance(part, Command):
        return part.render(profile)
    return env_file if isinstance(part, EnvFile) else part


def _to_data(part: Part) -> str | dict[str, str]:
    if isinstance(part, Command):
        return {"line" if part.whole else "command": part.words}
    return {"file": "env"} if isinstance(part, EnvFile) else part


def _from_data(data: object) -> Part:
    match data:
        case str():
            return data
        case {"command": str(words)}:
            return Command(words)
        case {"line": str(words)}:
            return Command(words, whole=True)
        case {"file": "env"}:
            return EnvFile()
    message = f"not a part of a fix: {data!r}"
    raise ValueError(message)

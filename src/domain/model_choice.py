"""The model that the owner chose: the value that `MODEL` and `MODEL_REVISION` are parsed into, once.

Parsing never fails, because a wrong name must not stop a run: vetted text goes out without a model. A name
that is neither `embedded` nor a folder is a model of the hub, and `model update` says what is wrong with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

EMBEDDED = "embedded"
# What a model writes in each mode, for people.
MODES = {
    "hook": "openings above vetted statements (MODE=hook)",
    "rewrite": "statements in its own words, whose truth no gate can see (MODE=rewrite)",
    "free": "whole tweets without a source, whose truth no gate can see (MODE=free)",
}
# Which opening leads by OPENINGS where the model writes openings, for people.
_LEADS = {
    "best": "one that is good enough leads, otherwise a vetted one (OPENINGS=best)",
    "model": "the best that passes the gates leads (OPENINGS=model)",
}


def role(mode: str, openings: str, left_out: str) -> str:
    """Return what the model does, behind its name: what it writes, or the setting that leaves it out."""
    if left_out:
        return f"is left out ({left_out})"
    leads = f"; {_LEADS[openings]}" if mode == "hook" else ""
    return f"writes {MODES[mode]}{leads}"


def is_commit(revision: str) -> bool:
    """Return whether a revision is a commit, 40 hex digits: a branch or a tag may change."""
    return bool(re.fullmatch(r"[0-9a-f]{40}", revision))


@dataclass(frozen=True, slots=True)
class Embedded:
    """The model that comes with the program. It has no revision of its own."""

    name: ClassVar[str] = EMBEDDED
    revision: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model of a hub, by its id (`owner/name`) and the commit (40 hex digits, or empty)."""

    name: str
    revision: str = ""

    @property
    def is_hub_id(self) -> bool:
        """Return whether the name has the form of a hub id; any other name can never be downloaded."""
        return "/" in self.name


@dataclass(frozen=True, slots=True)
class OwnFolder:
    """A folder of the owner's, with `name` as it stands in `MODEL`. It has no revision."""

    name: str
    path: Path
    revision: ClassVar[str] = ""


ModelChoice = Embedded | HubModel | OwnFolder


def parse(name: str, revision: str, folder: Path | None) -> ModelChoice:
    """Return what MODEL and MODEL_REVISION mean; `folder` is the path of that name if it exists."""
    if name == EMBEDDED:
        return Embedded()
    return HubModel(name, revision) if folder is None else OwnFolder(name, folder)

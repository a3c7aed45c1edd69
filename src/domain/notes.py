"""Remarks of a run about its text: a code for programs, a message and a fix for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from src.domain.fixes import NO_FIX, Fix


class NoteCode(StrEnum):
    """What a note is about."""

    BROKEN_RECORDS = "broken-records"  # of the library
    NO_TEXT_LEFT = "no-text-left"
    MODEL_STANDS_IN = "model-stands-in"  # another model writes than the one that is set
    MODEL_FAILED = "model-failed"
    MODEL_ON_CPU = "model-on-cpu"  # the device that was wanted failed, or is not there
    DRAFT_RETURNED = "draft-returned"  # approved once, and refused when its turn came
    LINK_OVER_BUDGET = "link-over-budget"  # an approved text with a link waits for a budget
    NO_GOOD_OPENING = "no-good-opening"  # usual: a vetted text goes out


@dataclass(frozen=True, slots=True)
class Note:
    """One remark of a run."""

    code: NoteCode
    message: str
    fix: Fix = NO_FIX

    def render(self, profile: str = "", env_file: str = ".env") -> str:
        """Return message and fix in one line for the owner of `profile`, whose settings are in `env_file`."""
        return "; ".join(filter(None, [self.message, self.fix.render(profile, env_file)]))

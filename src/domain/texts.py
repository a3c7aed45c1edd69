"""Texts on their way to a post: candidates, verdicts, drafts, and the history to compare them with."""

from __future__ import annotations

import difflib
import hashlib
import html
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import zip_longest
from typing import NamedTuple

from src.domain.notes import Note
from src.domain.reasons import sentence

SHORT_LINK = "https://t.co/"
_SHORT_LINKS = re.compile(re.escape(SHORT_LINK) + r"[0-9A-Za-z]+")
_NO_WORD = re.compile(r"[\W_]+")
_HASHTAGS = re.compile(r"(?: #\w+)+$")
ALIKE = 0.75  # of a ratio between 0 and 1; two tweets on different things have less than 0.6
_ANY_LINK = r"[^\s.]\S*?\.\S*?[^\s.]"


class Reason(NamedTuple):
    """A reason to refuse a text: its code, and the part of the text or the count that it is about."""

    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of the gates: the reason codes of those that refused a text, none when it may go out.

    `details` has, for each code, the part of the text or the count that it is about, or an empty text.
    """

    reasons: tuple[str, ...] = ()
    details: tuple[str, ...] = ()

    @classmethod
    def of(cls, reasons: Iterable[Reason]) -> Verdict:
        """Return the verdict for these reasons. Of two with the same code the first counts."""
        first: dict[str, str] = {}
        for reason in reasons:
            first.setdefault(reason.code, reason.detail)
        return cls(tuple(first), tuple(first.values()))

    @property
    def passed(self) -> bool:
        return not self.reasons

    @property
    def explained(self) -> tuple[str, ...]:
        """Return each reason in words, with what it is about."""
        pairs = zip_longest(self.reasons, self.details, fillvalue="")
        return tuple(sentence(code, detail) for code, detail in pairs)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One opening the model wrote for one statement, its score (higher is better) and its verdict."""

    source_id: str
    opening: str
    score: float
    verdict: Verdict
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that passed every gate and waits for its slot. `origin` is model, wording or person."""

    content: str
    origin: str
    source_id: str = ""
    topic: str = ""
    opening: str = ""


class Origin(NamedTuple):
    """Where a text on X comes from: the statement of the library, its topic, and the opening before it.

    `text` is what was sent, where X shows something else: t.co in the place of a link.
    """

    source_id: str
    topic: str
    opening: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """The past that a new text is compared with.

    `texts` and `openings` of the cool-down, and `topics`, are newest first. `last_used` is when each
    statement last ran, `sent` the texts of each statement over all of history, with the time of the last
    send: those that are or may be on X, and those that wait to go there. `hidden` are the statements that the
    owner retired, `elsewhere` is until when others are another profile's.
    """

    texts: tuple[str, ...] = ()
    openings: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    last_used: dict[str, datetime] = field(default_factory=dict)
    sent: dict[str, dict[str, datetime]] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    elsewhere: dict[str, datetime] = field(default_factory=dict)

    def with_draft(self, draft: Draft, now: datetime) -> History:
        """Return the history as it will be once this draft is out."""
        openings = (draft.opening, *self.openings) if draft.opening else self.openings
        sent, used = dict(self.sent), dict(self.last_used)
        if draft.source_id:
            sent[draft.source_id] = {**sent.get(draft.source_id, {}), draft.content: now}
            used[draft.source_id] = now
        texts, topics = (draft.content, *self.texts), (draft.topic, *self.topics)
        return replace(self, texts=texts, openings=openings, topics=topics, last_used=used, sent=sent)

    def without(self, source_id: str) -> History:
        """Return the history in which this statement cannot be chosen."""
        return replace(self, hidden=self.hidden | {source_id})

    def texts_but(self, text: str) -> tuple[str, ...]:
        """Return the recent texts other than this one, for a text that waits and is itself among them."""
        return tuple(other for other in self.texts if other != text)

    def of_others(self, source_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the recent texts and openings of everything but this statement, newest first.

        What the statement itself posted is the business of its cool-down.
        """
        own = self.sent.get(source_id, {})
        led = {text.partition("\n\n")[0] for text in self.texts if text in own}
        texts = tuple(text for text in self.texts if text not in own)
        return texts, tuple(opening for opening in self.openings if opening not in led)


@dataclass(frozen=True, slots=True)
class Composition:
    """The result of `compose`: the draft or None, all judged candidates, notes for the owner, and metrics."""

    draft: Draft | None
    candidates: tuple[Candidate, ...] = ()
    notes: tuple[Note, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)


def same_text(shown: str, sent: str) -> bool:
    """Return whether a timeline shows the text we sent, though X escapes HTML, composes and folds space.

    X shows each link as one of t.co, which stands for any word with a dot in it; the rest must be equal.
    """
    left, right = _normal(html.unescape(shown)), _normal(sent)
    if left == right or SHORT_LINK not in left:
        return left == right
    parts = (re.escape(part) for part in _SHORT_LINKS.split(left))
    return re.fullmatch(_ANY_LINK.join(parts), right) is not None


def could_be(shown: str, texts: Iterable[str]) -> str | None:
    """Return the first of these texts that a shown text with links of t.co may be, None for none."""
    text = html.unescape(shown)
    start, _, rest = text.partition(SHORT_LINK)
    end = _SHORT_LINKS.split(SHORT_LINK + rest)[-1]
    return next((t for t in texts if t.startswith(start) and t.endswith(end) and same_text(shown, t)), None)


def alike(shown: str, sent: str) -> bool:
    """Return whether an edited tweet may still be the text we sent: most of it is the same."""
    return likeness(shown, sent) >= ALIKE


def likeness(shown: str, sent: str) -> float:
    """Return how much of a shown text and a sent one is the same, from 0 to 1."""
    left, right = _normal(html.unescape(shown)), _normal(sent)
    return difflib.SequenceMatcher(None, left, right, autojunk=False).ratio()


def without_hashtags(tweet: str) -> str:
    """Return a tweet without the hashtags at its end, which make no other text."""
    return _HASHTAGS.sub("", tweet) if " #" in tweet else tweet


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def fingerprint(text: str) -> str:
    """Return 32 hex digits that are the same for texts that differ only in case, punctuation or spacing."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = _NO_WORD.sub(" ", folded).strip()
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:32]

"""The gates: whether a text may go out, and what a small model gets wrong. Pure functions with reason codes.

`judge_opening` looks at what the model wrote for one statement, `judge_rewrite` at its own wording of it,
`judge_tweet` at the whole text as it would be posted, whoever wrote it. Each asks `safety.py` too. An empty
verdict means that it may go out.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache

from src.content import safety
from src.content.library import MAX_OPENING, Statement
from src.content.tweet_text import MAX_WEIGHT, weighted_length
from src.domain.texts import Verdict

NEAR_DUPLICATE = 88.0  # similarity of the sorted words, 0 to 100 (rapidfuzz)
STALE_OPENING = 82.0
_WORD = re.compile(r"[A-Za-z][A-Za-z'’]*")
_TOKEN = re.compile(r"[\w.+#/:=<>*$%-]*\w[\w.+#/:=<>*$%()\[\]-]*")
_STOP_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "do",
        "does",
        "did",
        "can",
        "could",
        "should",
        "would",
        "will",
        "may",
        "might",
        "must",
        "has",
        "have",
        "had",
        "of",
        "in",
        "on",
        "at",
        "to",
        "for",
        "with",
        "without",
        "and",
        "or",
        "but",
        "not",
        "no",
        "if",
        "when",
        "while",
        "where",
        "what",
        "which",
        "who",
        "whom",
        "whose",
        "why",
        "how",
        "that",
        "this",
        "these",
        "those",
        "it",
        "its",
        "you",
        "your",
        "we",
        "our",
        "they",
        "their",
        "them",
        "he",
        "she",
        "i",
        "me",
        "my",
        "us",
        "as",
        "by",
        "from",
        "into",
        "out",
        "up",
        "down",
        "over",
        "so",
        "than",
        "then",
        "too",
        "very",
        "just",
        "only",
        "still",
        "ever",
        "there",
        "here",
        "about",
        "all",
        "any",
        "each",
        "some",
        "more",
        "most",
        "much",
        "many",
        "few",
        "own",
        "same",
    ]
)
_FALSE_START = re.compile(r"^(?:and|or|but|because|so|then|than|of)\b", re.IGNORECASE)
_QUESTION_WORD = re.compile(
    r"^(?:(?:in|on|at|for|to|with|from|by) )?(?:who|what|when|where|which|why|how|is|are|was|were|do|does|did"
    r"|can|could|should|would|will|has|have|had|am|may|must)\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(r"\b(?:not|no|never|none|nothing|cannot|without|neither|nor)\b|n't\b", re.IGNORECASE)
MIN_SHARED_WORDS = 0.7
_DANGLING = re.compile(
    r"\b(?:an|the|and|or|but|your|its|their|our|my|than|because|if)[?.!:…]+$", re.IGNORECASE
)


def judge_opening(opening: str, statement: Statement, text: str, recent: Iterable[str] = ()) -> Verdict:
    """Judge the model's opening above `text`, a wording of `statement`. `recent`: openings used lately."""
    return Verdict(tuple(dict.fromkeys(_opening_reasons(opening, statement, text, recent))))


def _opening_reasons(opening: str, statement: Statement, text: str, recent: Iterable[str]) -> Iterator[str]:
    yield from safety.reasons(opening)
    if opening != " ".join(opening.split()):
        yield "white-space"
    if weighted_length(opening) > MAX_OPENING:
        yield "too-long"
    words = _WORD.findall(opening)
    if len(words) < 2 or len(set(map(str.lower, words))) < 2:
        yield "too-short"
    if (
        not opening.endswith(("?", ".", "!", "…"))
        or _DANGLING.search(opening)
        or _FALSE_START.search(opening)
    ):
        yield "incomplete"
    first = next(iter(opening.split()), "")
    if not (first[:1].isupper() or _is_code(first) or _known(first, text)):
        yield "incomplete"
    if opening.count("?") > 1 or len(re.findall(r"[?!.](?=\s|$)", opening)) > 3:
        yield "incomplete"
    if opening.endswith("?") and not _asks(opening):
        yield "not-a-question"
    versions = [
        t
        for raw in _TOKEN.findall(opening)
        if len(t := raw.strip(".,:;?!'\"()")) > 2 and any(c.isdigit() for c in t)
    ]
    if repeats(opening) or len(set(versions)) < len(versions):
        yield "repetition"
    if foreign := foreign_terms(opening, f"{text} {statement.statement} {statement.topic}"):
        yield "foreign-number" if any(c.isdigit() for c in foreign[0]) else "foreign-term"
    if echoes(opening, text):
        yield "echo"
    if is_near(opening, recent, STALE_OPENING):
        yield "stale-opening"


def judge_rewrite(text: str, statement: Statement) -> Verdict:
    """Judge a model's own wording of a statement: identifiers, numbers, negations and words of substance.

    These checks catch what can be counted. A swapped subject passes them, so `rewrite` is for larger models.
    """
    reasons = list(safety.reasons(text))
    if text != " ".join(text.split()):
        reasons.append("white-space")
    source = f"{statement.statement} {' '.join(statement.wordings)} {statement.topic}"
    if foreign_terms(text, source):
        reasons.append("foreign-term")
    if lost := [t for t in _firm_terms(statement.statement) if not _known(t, text)]:
        reasons.append("lost-number" if any(c.isdigit() for c in lost[0]) else "lost-term")
    if negations(text) != negations(statement.statement):
        reasons.append("negation")
    mine, theirs = set(content_words(text)), set(content_words(source))
    if len(mine & theirs) < MIN_SHARED_WORDS * max(len(mine), 1):
        reasons.append("strange-words")
    if not text.endswith((".", "!", "?")) or len(text.split()) < 5:
        reasons.append("incomplete")
    if repeats(text):
        reasons.append("repetition")
    return Verdict(tuple(dict.fromkeys(reasons)))


def _firm_terms(text: str) -> list[str]:
    """Return the numbers and identifiers of a statement, which a rewrite must keep."""
    tokens = (raw.strip(".,:;?!'\"()") for raw in _TOKEN.findall(text))
    return [t for t in tokens if t and (_is_code(t) or any(c.isdigit() for c in t))]


def negations(text: str) -> int:
    """Return the number of negating words in a text."""
    return len(_NEGATION.findall(text))


def judge_tweet(text: str, history: Iterable[str] = (), extra_words: Collection[str] = ()) -> Verdict:
    """Judge a whole text as it would be posted, by a model, from the library, or by a person."""
    reasons = list(safety.reasons(text, extra_words, hashtags_allowed=2))
    if not text.strip():
        reasons.append("empty")
    if weighted_length(text) > MAX_WEIGHT:
        reasons.append("too-long")
    if is_near(text, history, NEAR_DUPLICATE):
        reasons.append("near-duplicate")
    return Verdict(tuple(dict.fromkeys(reasons)))


def _asks(opening: str) -> bool:
    """Return whether a question word begins some clause, or the question is short ("Lost a commit?")."""
    clauses = re.split(r"[.,:;!?]\s+", opening)
    return any(_QUESTION_WORD.match(clause.strip()) for clause in clauses) or len(clauses[-1].split()) <= 12


def repeats(text: str) -> bool:
    """Return whether a word of substance occurs three times, or a pair of words twice."""
    words = [w.lower() for w in _WORD.findall(text)]
    pairs = list(itertools.pairwise(words))
    counts = {w: words.count(w) for w in words if w not in _STOP_WORDS}
    return (
        any(n >= 3 for n in counts.values())
        or any(a == b for a, b in pairs)
        or (len(pairs) > 3 and any(pairs.count(p) > 1 for p in pairs if not set(p) <= _STOP_WORDS))
    )


def foreign_terms(opening: str, source: str) -> list[str]:
    """Return the numbers, identifiers and names in `opening` that `source` does not have."""
    found = []
    for position, raw in enumerate(_TOKEN.findall(opening)):
        token = raw.strip(".,:;?!'\"()")
        special = _is_code(token) or any(c.isdigit() for c in token)
        named = (
            position > 0
            and token[:1].isupper()
            and token not in {"I", "I'm", "I've"}
            and not _after_stop(opening, token)
        )
        if token and (special or named) and not _known(token, source):
            found.append(token)
    return found


def _after_stop(text: str, token: str) -> bool:
    return re.search(rf"[.?!:]\s+{re.escape(token)}", text) is not None


def _is_code(token: str) -> bool:
    """Return whether a token looks like code or a name: camelCase, ALL CAPS, or marks inside."""
    bare = token.strip(".,:;?!'\"")
    return (
        bool(re.search(r"[a-z][A-Z]|[A-Z]{2}|_|\w[./:=<>*+#]\w|^-{1,2}\w|\(\)|[%$<>=*]", bare))
        and not re.fullmatch(r"[A-Za-z]+(?:/[A-Za-z]+)?|[A-Z]'s", bare)
    ) or bool(re.fullmatch(r"[A-Z]{2,}s?|\w*[a-z][A-Z]\w*", bare))


def _known(token: str, source: str) -> bool:
    bare = token.strip(".,:;?!'\"()")
    if re.search(rf"(?<!\w){re.escape(bare)}(?!\w)", source, re.IGNORECASE):
        return True
    stem = re.sub(r"(?:'s|s)$", "", bare)
    return (
        len(stem) > 1 and re.search(rf"(?<!\w){re.escape(stem)}s?(?!\w)", source, re.IGNORECASE) is not None
    )


def content_words(text: str) -> list[str]:
    """Return the words of substance in a text, in lower case and without plural endings."""
    return [
        re.sub(r"(?:'s|es|s)$", "", w.lower())
        for w in _WORD.findall(text)
        if w.lower() not in _STOP_WORDS and len(w) > 1
    ]


def echoes(opening: str, text: str) -> bool:
    """Return whether the opening repeats the statement: most of its words in the same order."""
    mine, theirs = [w.lower() for w in _WORD.findall(opening)], [w.lower() for w in _WORD.findall(text)]
    longest = max((_common_run(mine[i:], theirs) for i in range(len(mine))), default=0)
    return longest >= 5 or (longest >= 4 and longest >= 0.7 * len(mine))


def _common_run(words: list[str], other: list[str]) -> int:
    best = 0
    for start in range(len(other)):
        length = 0
        while length < len(words) and start + length < len(other) and words[length] == other[start + length]:
            length += 1
        best = max(best, length)
    return best


def is_near(text: str, others: Iterable[str], limit: float) -> bool:
    """Return whether any of `others` is at least `limit` (0 to 100) similar, in any order of words."""
    others = list(others)
    if not others:
        return False
    return nearest(normal_words(text), [normal_words(o) for o in others], limit) is not None


def nearest(normal: str, others: Sequence[str], limit: float) -> str | None:
    """Return one of `others` at least `limit` (0 to 100) similar to `normal`; all are `normal_words`."""
    from rapidfuzz import fuzz, process  # noqa: PLC0415 (17 ms that an idle tick need not spend)

    found = process.extractOne(normal, others, scorer=fuzz.ratio, score_cutoff=limit)
    return str(found[0]) if found else None


@lru_cache(maxsize=200_000)
def normal_words(text: str) -> str:
    """Return the lower-case words without punctuation, sorted: the form in which texts are compared."""
    return " ".join(sorted("".join(c if c.isalnum() else " " for c in text.casefold()).split()))

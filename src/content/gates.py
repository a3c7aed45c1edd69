"""The gates: whether a text may go out, and what a small model gets wrong. Pure functions with reason codes.

`judge_opening` judges the model's opening for one statement, `judge_lead` one that a person wrote beside it,
`judge_rewrite` the model's own wording of it, `judge_free` its own tweet, `judge_tweet` the whole text as it
would be posted, whoever wrote it. Each asks `safety.py` too. An empty verdict lets it go out.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache

from src.content import safety
from src.content.intake import MAX_CHARACTERS
from src.content.library import MAX_OPENING, Statement
from src.content.links import NO_LINKS, LinkRule
from src.content.tweet_text import MAX_WEIGHT, weighted_length
from src.domain.texts import Reason, Verdict

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
    r"^(?:(?:in|on|at|for|to|with|from|by) )?"
    r"(?:who|what|when|where|which|why|how|is|are|was|were|do|does|did"
    r"|can|could|should|would|will|has|have|had|am|may|must)\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(r"\b(?:not|no|never|none|nothing|cannot|without|neither|nor)\b|n't\b", re.IGNORECASE)
MIN_SHARED_WORDS = 0.7
MIN_WORDS = 5  # of a whole tweet
_DANGLING = re.compile(
    r"\b(?:an|the|and|or|but|your|its|their|our|my|than|because|if)[?.!:…]+$", re.IGNORECASE
)


def judge_opening(opening: str, statement: Statement, text: str, recent: Iterable[str] = ()) -> Verdict:
    """Return what is wrong with the model's opening above `text`, a wording of `statement`.

    `recent` are the openings used lately.
    """
    if len(opening) > MAX_CHARACTERS:
        return Verdict.of(safety.reasons(opening))
    return Verdict.of(_opening_reasons(opening, statement, text, recent))


def judge_lead(opening: str, text: str, recent: Iterable[str] = ()) -> Verdict:
    """Return what is wrong with an opening that a person wrote for `text`.

    What a small model gets wrong is not asked: the person knows numbers and names that the text does not say.
    `recent` are the openings used lately.
    """
    if len(opening) > MAX_CHARACTERS:
        return Verdict.of(safety.reasons(opening))
    return Verdict.of((*safety.reasons(opening), *_told_before(opening, text, recent)))


def _told_before(opening: str, text: str, recent: Iterable[str]) -> Iterator[Reason]:
    """Yield whether an opening, whoever wrote it, says what its text or a recent opening says."""
    if echoes(opening, text):
        yield Reason("echo")
    if is_near(opening, recent, STALE_OPENING):
        yield Reason("stale-opening")


def _opening_reasons(
    opening: str, statement: Statement, text: str, recent: Iterable[str]
) -> Iterator[Reason]:
    yield from safety.reasons(opening)
    if opening != " ".join(opening.split()):
        yield Reason("white-space")
    if (weight := weighted_length(opening)) > MAX_OPENING:
        yield Reason("too-long", f"{weight} of {MAX_OPENING}")
    words = _WORD.findall(opening)
    if len(words) < 2 or len(set(map(str.lower, words))) < 2:
        yield Reason("too-short")
    if (
        not opening.endswith(("?", ".", "!", "…"))
        or _DANGLING.search(opening)
        or _FALSE_START.search(opening)
    ):
        yield Reason("incomplete")
    first = next(iter(opening.split()), "")
    if not (first[:1].isupper() or _is_code(first) or _known(first, text)):
        yield Reason("incomplete", first)
    if opening.count("?") > 1 or len(re.findall(r"[?!.](?=\s|$)", opening)) > 3:
        yield Reason("incomplete")
    if opening.endswith("?") and not _asks(opening):
        yield Reason("not-a-question")
    versions = [
        t
        for raw in _TOKEN.findall(opening)
        if len(t := raw.strip(".,:;?!'\"()")) > 2 and any(c.isdigit() for c in t)
    ]
    if repeats(opening) or len(set(versions)) < len(versions):
        yield Reason("repetition")
    if foreign := foreign_terms(opening, f"{text} {statement.statement} {statement.topic}"):
        yield Reason("foreign-number" if any(c.isdigit() for c in foreign[0]) else "foreign-term", foreign[0])
    yield from _told_before(opening, text, recent)


def judge_rewrite(text: str, statement: Statement) -> Verdict:
    """Return whether a model's own wording of a statement still says that.

    These checks catch what can be counted: identifiers, numbers, negations, content words. A swapped subject
    passes them: that is why `rewrite` is the owner's own choice.
    """
    if len(text) > MAX_CHARACTERS:
        return Verdict.of(safety.reasons(text))
    return Verdict.of(_rewrite_reasons(text, statement))


def _rewrite_reasons(text: str, statement: Statement) -> Iterator[Reason]:
    yield from safety.reasons(text)
    if text != " ".join(text.split()):
        yield Reason("white-space")
    source = f"{statement.statement} {' '.join(statement.wordings)} {statement.topic}"
    if foreign := foreign_terms(text, source):
        yield Reason("foreign-term", foreign[0])
    if lost := [t for t in _firm_terms(statement.statement) if not _known(t, text)]:
        yield Reason("lost-number" if any(c.isdigit() for c in lost[0]) else "lost-term", lost[0])
    if negations(text) != negations(statement.statement):
        yield Reason("negation")
    mine, theirs = set(content_words(text)), set(content_words(source))
    if len(mine & theirs) < MIN_SHARED_WORDS * max(len(mine), 1):
        yield Reason("strange-words", ", ".join(sorted(mine - theirs)))
    if not text.endswith((".", "!", "?")) or len(text.split()) < MIN_WORDS:
        yield Reason("incomplete")
    if repeats(text):
        yield Reason("repetition")


def judge_free(text: str) -> Verdict:
    """Return what can be seen to be wrong with a model's own tweet. Whether it is true, no gate can see."""
    if len(text) > MAX_CHARACTERS:
        return Verdict.of(safety.reasons(text))
    return Verdict.of(_free_reasons(text))


def _free_reasons(text: str) -> Iterator[Reason]:
    yield from safety.reasons(text)
    if text != " ".join(text.split()):
        yield Reason("white-space")
    if len(text.split()) < MIN_WORDS:
        yield Reason("too-short")
    first = next(iter(text.split()), "")
    is_whole = text.endswith((".", "!", "?", "…")) and not _DANGLING.search(text)
    if not is_whole or _FALSE_START.search(text) or not (first[:1].isupper() or _is_code(first)):
        yield Reason("incomplete")
    if repeats(text):
        yield Reason("repetition")


def _firm_terms(text: str) -> list[str]:
    """Return the numbers and identifiers of a statement, which a rewrite must keep."""
    tokens = (raw.strip(".,:;?!'\"()") for raw in _TOKEN.findall(text))
    return [t for t in tokens if t and (_is_code(t) or any(c.isdigit() for c in t))]


def negations(text: str) -> int:
    """Return how many negating words a text has."""
    return len(_NEGATION.findall(text))


def judge_tweet(
    text: str,
    history: Iterable[str] = (),
    extra_words: Collection[str] = (),
    links: LinkRule = NO_LINKS,
) -> Verdict:
    """Return what is wrong with a whole text as it would be posted, whoever wrote it."""
    return Verdict.of(_tweet_reasons(text, history, extra_words, links))


def _tweet_reasons(
    text: str, history: Iterable[str], extra_words: Collection[str], links: LinkRule
) -> Iterator[Reason]:
    yield from safety.reasons(text, extra_words, hashtags_allowed=2, links=links)
    if len(text) > MAX_CHARACTERS:
        return
    if not text.strip():
        yield Reason("empty")
    if (weight := weighted_length(text)) > MAX_WEIGHT:
        yield Reason("too-long", f"{weight} of {MAX_WEIGHT}")
    if is_near(text, history, NEAR_DUPLICATE):
        yield Reason("near-duplicate")


def _asks(opening: str) -> bool:
    """Return whether a question word leads some clause, or the last clause has at most twelve words."""
    clauses = re.split(r"[.,:;!?]\s+", opening)
    return any(_QUESTION_WORD.match(clause.strip()) for clause in clauses) or len(clauses[-1].split()) <= 12


def repeats(text: str) -> bool:
    """Return whether a word of substance comes three times, or a pair of words twice."""
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
    """Return whether a token looks like code or a name: camelCase, ALL CAPS, marks inside."""
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
    """Return the words of substance in a text, lower case, with plural endings dropped."""
    return [
        re.sub(r"(?:'s|es|s)$", "", w.lower())
        for w in _WORD.findall(text)
        if w.lower() not in _STOP_WORDS and len(w) > 1
    ]


def echoes(opening: str, text: str) -> bool:
    """Return whether the opening gives the statement away: most of its words in the same order as there."""
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
    """Return whether any of `others` is at least `limit` (0 to 100) similar, whatever the order of words."""
    others = list(others)
    if not others:
        return False
    return nearest(normal_words(text), [normal_words(o) for o in others], limit) is not None


def nearest(normal: str, others: Sequence[str], limit: float) -> str | None:
    """Return which of `others` is at least `limit` (0 to 100) similar to `normal`, all by `normal_words`."""
    from rapidfuzz import fuzz, process  # noqa: PLC0415 (17 ms that an idle tick need not spend)

    found = process.extractOne(normal, others, scorer=fuzz.ratio, score_cutoff=limit)
    return str(found[0]) if found else None


@lru_cache(maxsize=200_000)
def normal_words(text: str) -> str:
    """Return the lower-case words of a text, sorted and without punctuation: texts are compared so."""
    return " ".join(sorted("".join(c if c.isalnum() else " " for c in text.casefold()).split()))

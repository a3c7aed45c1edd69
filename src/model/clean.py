"""What a model writes around its text: thoughts, introductions, quotation marks, lists, further lines.

Pure functions. `clean` returns the text alone, or the reason why there is none.
"""

from __future__ import annotations

import re
from typing import NamedTuple

THINKING = "thinking"
UNFINISHED = "unfinished"
EMPTY = "empty"

# How families mark what the model says to itself: an opening mark, the matching end, and what it may hold.
_THOUGHTS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("<|channel>thought", "<channel|>"),
    ("<|channel|>analysis<|message|>", "<|end|>"),
)
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)]?(?=\s|$)")
_INTRODUCTION = re.compile(
    r"^(?:sure|certainly|of course|okay|ok|absolutely|here(?:'s| is| are))\b[^:?]{0,80}:\s*", re.IGNORECASE
)
_LABEL = re.compile(
    r"^(?:question|opening|hook|tweet|post|answer|assistant|rewrite|reworded|fact|output)\s?:\s*",
    re.IGNORECASE,
)
_LIST_MARK = re.compile(r"^(?:[-*•]|\(?\d{1,2}[.)]|#{1,6})\s+")
_QUOTES = (('"', '"'), ("“", "”"), ("«", "»"), ("„", "“"), ("'", "'"), ("‘", "’"), ("`", "`"))
_EMPHASIS = ("**", "__", "*", "_")


class Cleaned(NamedTuple):
    """A text, or the reason (`thinking`, `unfinished`, `empty`) why a row has none."""

    text: str
    reason: str = ""


def without_thoughts(text: str) -> tuple[str, bool]:
    """Return the text behind finished thoughts, and whether it is in the middle of one."""
    rest = text.lstrip()
    for begin, end in _THOUGHTS:
        if rest.startswith(begin):
            _, closed, behind = rest.partition(end)
            return without_thoughts(behind) if closed else (rest.removeprefix(begin), True)
    closing = next((end for _, end in _THOUGHTS if end in rest), None)
    return without_thoughts(rest.partition(closing)[2]) if closing else (rest, False)


def is_over(text: str) -> bool:
    """Return whether a row that has just broken its line says nothing more that counts.

    An empty thought and an introduction go on in the next line.
    """
    rest, thinks = without_thoughts(text)
    first = next((line for line in rest.splitlines() if line.strip()), "")
    return bool(first) and (thinks or (_breaks(rest) and not _is_introduction(first)))


def _breaks(text: str) -> bool:
    return "\n" in text.lstrip()


def _is_introduction(line: str) -> bool:
    return line.rstrip().endswith(":")


def clean(text: str, *, ended: bool, cut: bool = False) -> Cleaned:
    """Return the one line of a row. `ended`: the model ended it; else it ran into the limit of tokens.

    With `cut`, a row that ran into the limit is cut after its last whole sentence instead of refused.
    """
    rest, thinks = without_thoughts(text)
    if thinks:
        return Cleaned("", THINKING)
    lines = [line.strip() for line in rest.splitlines() if line.strip()]
    while len(lines) > 1 and _is_introduction(lines[0]):
        lines.pop(0)
    if not lines:
        return Cleaned("", EMPTY)
    is_last = len(lines) == 1
    line = " ".join(lines[0].split())
    if is_last and not ended:
        if not (cut and (ends := list(_SENTENCE_END.finditer(line)))):
            return Cleaned("", UNFINISHED)
        line = line[: ends[-1].end()]
    line = _bare(line)
    return Cleaned(line) if line else Cleaned("", EMPTY)


def _bare(line: str) -> str:
    """Return a line without introduction, label, list mark, emphasis and quotation marks around it."""
    while True:
        shorter = _INTRODUCTION.sub("", line, count=1)
        shorter = _LABEL.sub("", _LIST_MARK.sub("", shorter, count=1), count=1)
        shorter = _unquoted(shorter.strip())
        if shorter == line:
            return line
        line = shorter


def _unquoted(line: str) -> str:
    for mark in _EMPHASIS:
        inner = line[len(mark) : -len(mark)]
        if line.startswith(mark) and line.endswith(mark) and len(line) > 2 * len(mark) and mark not in inner:
            return inner.strip()
    for left, right in _QUOTES:
        inner = line[1:-1]
        if len(line) > 2 and line[0] == left and line[-1] == right and left not in inner:
            return inner.strip()
    return line

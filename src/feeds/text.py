"""An item becomes a text: the owner's template, fitted to X's length without touching link and version."""

from __future__ import annotations

import re
from collections.abc import Sequence

from src.content.tweet_text import MAX_WEIGHT, weighted_length
from src.domain.feeds import Item
from src.feeds.clean import cut

MIN_SUMMARY = 40  # characters; less of it says nothing
_FIELD = re.compile(r"\{(\w*)\}")
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9]{1,29}")


def render(item: Item, template: str, hashtags: int, opening: str = "") -> str:
    r"""Return the text of an item: the template's fields filled in, one pass, an empty field takes its line.

    `\n` in a template is a line break, since a value in `.env` is one line. `opening` is the model's.

    If it is too long for X, the summary is cut at a word and then left out, then the title is cut; never the
    link, the version or the opening.
    """
    template = template.replace("\\n", "\n")
    fields = {
        "title": item.title,
        "summary": item.summary if not _says_the_same(item) else "",
        "link": item.link,
        "version": item.version,
        "project": item.project,
        "hashtags": _hashtags(item.tags, hashtags),
        "opening": opening,
    }
    for name, least in (("summary", MIN_SUMMARY), ("title", 1)):
        fields[name] = _longest_that_fits(fields, name, template, least)
    return _filled(fields, template)


def _longest_that_fits(fields: dict[str, str], name: str, template: str, least: int) -> str:
    """Return as much of a field as fits with all others, cut at a word; none if that is less than `least`."""
    whole = fields[name]
    shortest = least if name == "title" else 0
    low, high = shortest, len(whole)
    if weighted_length(_filled(fields, template)) <= MAX_WEIGHT:
        return whole
    while low < high:
        middle = (low + high + 1) // 2
        if weighted_length(_filled({**fields, name: cut(whole, middle)}, template)) <= MAX_WEIGHT:
            low = middle
        else:
            high = middle - 1
    return cut(whole, low) if low >= least else ""


def _filled(fields: dict[str, str], template: str) -> str:
    """Return the template with its fields filled in. A line whose fields are all empty is left out."""
    lines = []
    for line in template.split("\n"):
        names = _FIELD.findall(line)
        if not names or any(fields.get(name) for name in names):
            lines.append(" ".join(_FIELD.sub(lambda field: fields.get(field[1], ""), line).split()))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _says_the_same(item: Item) -> bool:
    """Return whether the summary is the title again, or begins with it as many feeds let it."""
    title, summary = item.title.rstrip("….").casefold(), item.summary.casefold()
    return summary.startswith(title) and len(summary) < len(title) + MIN_SUMMARY


def _hashtags(tags: Sequence[str], most: int) -> str:
    """Return the first categories that can be hashtags."""
    good = dict.fromkeys(tag.replace(" ", "").replace("-", "") for tag in tags)
    return " ".join([f"#{tag}" for tag in good if _TAG.fullmatch(tag)][:most])

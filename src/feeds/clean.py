"""A stranger's text made plain: HTML becomes text, hidden signs go, long fields are cut first."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import regex

from src.content.intake import composed

MAX_RAW = 20_000  # characters of a field that are looked at
_HIDDEN = regex.compile(
    r"[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}--[\n\t]]", regex.V1
)
_ADDRESS = re.compile(r"\w+://\S+")  # the text has the item's own link, and no other
_MENTION = re.compile(r"[@＠](?=\w)")
_SILENT = {"script", "style", "template", "noscript", "head", "svg", "iframe"}
_BREAKS = {"p", "div", "br", "li", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "pre", "blockquote"}


class _Text(HTMLParser):
    """The readable text of an HTML fragment."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, _attributes: object) -> None:
        self._silent += tag in _SILENT
        if tag in _BREAKS:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in _SILENT))
        if tag in _BREAKS:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def plain(markup: str, limit: int) -> str:
    """Return a field of a feed as one line of plain text of at most `limit` characters, cut at a word.

    Entities are undone until nothing changes, twice at most: feeds write them once too often.
    """
    parser = _Text()
    parser.feed(markup[:MAX_RAW])
    parser.close()
    text = html.unescape("".join(parser.parts))
    text = _MENTION.sub("", _ADDRESS.sub("", _HIDDEN.sub("", text)))
    return cut(composed(" ".join(text.split())), limit)


def cut(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters: a longer one ends at a word, with an ellipsis."""
    if len(text) <= limit:
        return text
    head = text[: max(limit - 1, 0)]
    at_word = head.rpartition(" ")[0] or head
    return f"{at_word.rstrip(' ,;:.–—-')}…" if at_word else ""

"""Which links a text may have: none, or by the owner's choice those to hosts that are meant.

A link costs thirteen times as much as a post without, and leads readers away under the owner's name. So what
may stand is written out with its scheme, and X links exactly that. Whatever else X or a reader would follow
(`setup.py`, an address in disguise) is refused everywhere, also beside a link that is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from src.config import Settings
from src.content.x_entities import from_utf16, link_spans, to_utf16
from src.domain.queue import FEED, OWN


@dataclass(frozen=True, slots=True)
class LinkRule:
    """The links that a text may have: to these hosts, or `anywhere`. Without either, none."""

    hosts: frozenset[str] = frozenset()
    anywhere: bool = False

    @classmethod
    def to(cls, hosts: Iterable[str]) -> Self:
        """Return the rule that allows links to these hosts, with and without `www.`."""
        return cls(frozenset(map(bare, hosts)))

    def without_allowed(self, text: str) -> str:
        """Return a text with a space in the place of each link that it may have."""
        if not (self.hosts or self.anywhere) or "://" not in text:
            return text
        units = to_utf16(text)
        for start, end in reversed(list(link_spans(units))):
            if self._allows(from_utf16(units[start:end])):
                units = f"{units[:start]} {units[end:]}"
        return from_utf16(units)

    def _allows(self, link: str) -> bool:
        try:
            parts = urlsplit(link)
            host = parts.hostname or ""
        except ValueError:
            return False
        if parts.scheme.lower() not in {"https", "http"} or "@" in parts.netloc or not host.isascii():
            return False
        return self.anywhere or bare(host) in self.hosts


def rule_for(settings: Settings, origin: str) -> LinkRule:
    """Return which links a text of this origin may have.

    A person's own may have any, an item of a feed those to the hosts of FEEDS and LINK_HOSTS, others those to
    LINK_HOSTS.
    """
    if settings.links == "never":
        return NO_LINKS
    if origin == OWN:
        return ANY_LINK
    of_feeds = (urlsplit(address).hostname or "" for address in settings.feeds if origin == FEED)
    return LinkRule.to((*settings.link_hosts, *of_feeds))


NO_LINKS = LinkRule()
ANY_LINK = LinkRule(anywhere=True)


def bare(host: str) -> str:
    """Return a host in small letters without `www.`, as hosts are compared."""
    return host.lower().removeprefix("www.")

"""The settings of feeds and of links, a part of `config.Settings`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from src.system.setting_types import Feeds, Hosts, Template, without_link


class FeedSettings(BaseModel):
    """What an owner can set about feeds, and about links in any text."""

    links: Literal["never", "own"] = Field(
        "never", description="`own`: links may stand in your own texts; each makes a post dearer"
    )
    feeds: Feeds = Field((), description="feeds whose new items become posts: RSS, Atom, releases.atom")
    feed_minutes: int = Field(60, ge=15, le=10080, description="minutes between two reads of a feed")
    feed_max_age_days: int = Field(14, ge=1, le=365, description="days that an item waits for its turn")
    feed_auto: bool = Field(False, description="post items of feeds without approval")
    feed_template: Template = Field(
        r"{title}\n\n{summary}\n\n{link}",
        description="the text of an item; \\n is a line break, {opening} the model's opening",
    )
    release_template: Template = Field(
        r"{project} {version} is out.\n\n{summary}\n\n{link}", description="the text of a release"
    )
    feed_private_hosts: Hosts = Field((), description="hosts of FEEDS that may be in your own network")
    link_hosts: Hosts = Field((), description="with LINKS=own, hosts that any text may link, as example.org")
    price_link_post_usd: float = Field(0.2, ge=0, description="what X bills for a post with a link")


def contradictions(settings: FeedSettings) -> list[str]:
    """Return what is wrong with templates of feeds where no link may stand: nothing could go out."""
    if not settings.feeds or settings.links != "never":
        return []
    templates = {name: getattr(settings, name) for name in ("feed_template", "release_template")}
    return [
        f"{name.upper()} has {{link}}, and LINKS is never: write LINKS=own"
        f" (${settings.price_link_post_usd:g} a post), or {name.upper()}={without_link(template)}"
        for name, template in templates.items()
        if "{link}" in template
    ]

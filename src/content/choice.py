"""What the owner wants posted: topics, dates of a statement, and statements that were retired."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from datetime import date, datetime

from src.config import Settings
from src.content.library import Library, Statement
from src.domain.errors import ConfigError
from src.domain.fixes import Fix, command, env_file


def wanted(settings: Settings, library: Library) -> tuple[Statement, ...]:
    """Return the statements of the topics that TOPICS names, or all but those that it names with a minus.

    Raise `ConfigError` for a topic that the library does not have.
    """
    chosen = chosen_topics(settings.topics, library.topics)
    return tuple(statement for statement in library.statements if statement.topic in chosen)


def chosen_topics(topics: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    """Return the topics that are left of the known ones. Raise `ConfigError` for an unknown one."""
    by_name = {topic.casefold(): topic for topic in known}
    only: set[str] = set()
    without: set[str] = set()
    for entry in topics:
        name = entry.removeprefix("-").strip()
        group = without if entry.startswith("-") else only
        group.add(by_name.get(name.casefold()) or _unknown(name, by_name))
    return frozenset((only or set(by_name.values())) - without)


def _unknown(name: str, by_name: dict[str, str]) -> str:
    close = difflib.get_close_matches(name.casefold(), by_name, n=1, cutoff=0.5)
    hint = f"; did you mean {by_name[close[0]]}?" if close else ""
    message = f"TOPICS: the library has no topic {name!r}{hint}"
    fix = Fix(command("sources topics"), " lists them; change TOPICS in ", env_file())
    raise ConfigError(message, fix)


def today(settings: Settings, now: datetime) -> date:
    """Return the date by the clock of TIME_ZONE."""
    return now.astimezone(settings.schedule.zone).date()


def is_over(statement: Statement, day: date) -> bool:
    """Return whether the last day on which a statement may be posted has passed."""
    return statement.not_after is not None and day > statement.not_after


def is_early(statement: Statement, day: date) -> bool:
    """Return whether the first day on which a statement may be posted lies ahead."""
    return statement.not_before is not None and day < statement.not_before

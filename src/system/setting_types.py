"""The types of settings: lists, addresses, spans and zones, as they are written in `.env`."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from src.domain import quiet_hours, schedule
from src.domain.feeds import FIELDS
from src.domain.model_choice import is_commit
from src.domain.urls import require_feed, require_host, require_secure
from src.system.files import absolute

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_ROOT = Path(__file__).resolve().parents[2]


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _known_homes(sources: tuple[str, ...]) -> tuple[str, ...]:
    for source in sources:
        absolute(Path(source), _ROOT)
    return sources


def _hosts(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(require_host(name.lower()) for name in names)


def _feeds(addresses: tuple[str, ...]) -> tuple[str, ...]:
    for address in addresses:
        require_feed(address)
    return tuple(dict.fromkeys(addresses))


def _template(text: str) -> str:
    unknown = sorted(set(re.findall(r"\{(.*?)\}", text)) - set(FIELDS))
    if unknown:
        message = f"unknown field {{{unknown[0]}}}; the fields are {', '.join(f'{{{n}}}' for n in FIELDS)}"
        raise ValueError(message)
    return text


def _revision(commit: str) -> str:
    if commit and not is_commit(commit):
        message = (
            "must be a commit of 40 hex digits, as 12fd25f77366fa6b3b4b768ec3050bf629380bac, or empty for"
            " the newest; a branch or a tag may change"
        )
        raise ValueError(message)
    return commit


def without_link(template: str) -> str:
    """Return a template of feeds as it would be written without its link."""
    return template.replace("{link}", "").rstrip("\\n ")


CommaList = Annotated[tuple[str, ...], BeforeValidator(_split)]
Feeds = Annotated[CommaList, AfterValidator(_feeds)]
Template = Annotated[str, AfterValidator(_template)]
Sources = Annotated[CommaList, AfterValidator(_known_homes)]
BaseUrl = Annotated[str, AfterValidator(partial(require_secure, path_allowed=False))]
MirrorUrl = Annotated[str, AfterValidator(partial(require_secure, path_allowed=True))]
Revision = Annotated[str, AfterValidator(_revision)]
Span = Annotated[str, AfterValidator(quiet_hours.require_span)]
Zone = Annotated[str, AfterValidator(quiet_hours.require_zone)]
Times = Annotated[CommaList, AfterValidator(schedule.require_times)]
Days = Annotated[str, AfterValidator(schedule.require_days)]
Topics = CommaList  # held against the library where that is read
Hosts = Annotated[CommaList, AfterValidator(_hosts)]
Seconds = Annotated[tuple[Annotated[float, Field(ge=0, le=300)], ...], BeforeValidator(_split)]

# pydantic's types of errors, for owners.
_PROBLEMS = {
    "bool_parsing": "must be true or false",
    "float_parsing": "must be a number",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
}


def problem(error: ErrorDetails) -> str:
    """Return in words what is wrong with a setting: our validators' own, or those for pydantic's error."""
    words = _PROBLEMS.get(error["type"])
    return words.format(**error.get("ctx", {})) if words else error["msg"].removeprefix("Value error, ")

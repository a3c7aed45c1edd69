"""Generator of docs/settings.md: every setting with its default, its allowed values and its description.

`make settings-page` writes the page. Facts come from `Settings`, groups and their notes from `.env.example`.
"""

import re
import textwrap
import types
import typing
from collections.abc import Iterator
from pathlib import Path

from pydantic import AfterValidator, SecretStr
from pydantic.fields import FieldInfo

from src.config import FILE_SECRETS, ROOT, Settings

PAGE = ROOT / "docs" / "settings.md"
REST = "Only for several accounts and for tests"
# What a pattern or a validator of `Settings` allows, in words: neither can be read by an owner.
WORDS = {
    "twitter_client_id": "printable ASCII without spaces",
    "twitter_redirect_uri": "an address that begins with http:// or https://",
    "x_api_base_url": "https://HOST; plain http only to this machine",
    "feed_template": "a text with fields: {title}, {summary}, {link}, {version}, {project}, {hashtags}, {opening}",
    "release_template": "the same",
    "hf_endpoint": "https://HOST or https://HOST/PATH; plain http only to this machine",
    "post_interval_minutes": "5 to 1440, a divisor of 1440",
    "post_days": "days of the week, lists and ranges of them, or empty",
    "quiet_hours": "HH:MM-HH:MM, or empty",
    "time_zone": "an IANA time zone, such as Europe/Berlin",
    "model_revision": "40 hex digits, or empty",
    "profile": "small letters, digits, - and _, at most 32",
}
INTRODUCTION = f"""\
# Settings

<!-- Made by `make settings-page` from src/config.py and .env.example. Do not edit. -->

Settings stand in `.env` or in the environment, which wins. `ENV_FILE` names another file than `.env`. The
file must belong to you and, with a secret in it, be closed to others (`chmod 600 .env`). `check` lists every problem at once. A
relative path counts from the project's folder.

Each of these can come from a file instead, named by the same variable with `_FILE` at its end:
{", ".join(f"`{name}`" for name in FILE_SECRETS)}.
"""


def page() -> str:
    """Return the whole page."""
    return INTRODUCTION + "".join(_section(*group) for group in groups())


def groups() -> list[tuple[str, str, list[str]]]:
    """Return (title, note, field names) of each group of `.env.example`, and one group of the others."""
    found = []
    for paragraph in (ROOT / ".env.example").read_text(encoding="utf-8").split("\n\n"):
        names = [name.lower() for name in re.findall(r"^#?([A-Z][A-Z0-9_]*)=", paragraph, re.MULTILINE)]
        if names:
            title, _, note = _comments(paragraph, names).partition(". ")
            found.append((title.rstrip("."), note, names))
    named = {name for _, _, names in found for name in names}
    return [*found, (REST, "", [name for name in Settings.model_fields if name not in named])]


def _comments(paragraph: str, names: list[str]) -> str:
    """Return the comments of a group that do not describe one setting, as one line."""
    described = tuple(_description(name) for name in names)
    lines = (line.removeprefix("# ") for line in paragraph.splitlines() if line.startswith("# "))
    return " ".join(line for line in lines if not line.startswith(described))


def _section(title: str, note: str, names: list[str]) -> str:
    rows = "".join(
        f"| `{n.upper()}` | {default(n)} | {allowed(n)} | {_cell(_description(n))} |\n" for n in names
    )
    head = "| Setting | Default | Allowed | What it sets |\n|---|---|---|---|\n"
    paragraph = textwrap.fill(note, 110, break_on_hyphens=False) + "\n\n" if note else ""
    return f"\n## {title}\n\n{paragraph}{head}{rows}"


def _description(name: str) -> str:
    return Settings.model_fields[name].description or ""


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def default(name: str) -> str:
    """Return a setting's default as it would stand in `.env`."""
    value = Settings.model_fields[name].default
    if isinstance(value, Path):
        value = value.relative_to(ROOT)
    elif isinstance(value, bool):
        value = str(value).lower()
    elif isinstance(value, tuple):
        value = ",".join(f"{part:g}" if isinstance(part, float) else str(part) for part in value)
    elif isinstance(value, float):
        value = f"{value:g}"
    return f"`{value}`" if value not in {None, ""} else "not set"


def allowed(name: str) -> str:
    """Return what a setting may be, in words. Raise `KeyError` for a pattern or validator without words."""
    if name in constrained():
        return WORDS[name]
    kind = _plain_type(Settings.model_fields[name].annotation)
    if kind is bool:
        return "`true`, `false`"
    if typing.get_origin(kind) is typing.Literal:
        return ", ".join(f"`{value}`" for value in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return f"a comma-separated list{_range(typing.get_args(kind)[0])}"
    words = {SecretStr: "a secret", Path: "a path", str: "a text", int: "a whole number", float: "a number"}[
        kind
    ]
    return words + ", ".join(_limits(Settings.model_fields[name].metadata))


def _range(item: object) -> str:
    """Return the limits of the items of a list, or nothing."""
    limits = [part for info in getattr(item, "__metadata__", ()) for part in _limits(info.metadata)]
    return f", each{', '.join(limits)}" if limits else ""


def constrained() -> set[str]:
    """Return the names of settings whose limits are a pattern or a validator, paths aside."""
    patterns = {name for name, field in Settings.model_fields.items() if _pattern(field)}
    decorators = Settings.__pydantic_decorators__.field_validators.values()
    judged = {name for decorator in decorators for name in decorator.info.fields}
    paths = {name for name in judged if _plain_type(Settings.model_fields[name].annotation) is Path}
    return patterns | (judged - paths)


def _pattern(field: FieldInfo) -> bool:
    """Return whether a text has a pattern or is looked at by a function."""
    rules = [
        part for part in field.metadata if isinstance(part, AfterValidator) or getattr(part, "pattern", None)
    ]
    return bool(rules) and _plain_type(field.annotation) is str


def _plain_type(annotation: object) -> typing.Any:
    """Return the type of a field without its None."""
    if typing.get_origin(annotation) in {types.UnionType, typing.Union}:
        return next(part for part in typing.get_args(annotation) if part is not type(None))
    return annotation


def _limits(metadata: list[typing.Any]) -> Iterator[str]:
    """Yield the limits of a number in words, each with a leading space."""
    bounds = {
        key: getattr(part, key) for part in metadata for key in ("ge", "gt", "le") if hasattr(part, key)
    }
    if "ge" in bounds and "le" in bounds:
        yield f" from {bounds['ge']:g} to {bounds['le']:.10g}"
    elif "gt" in bounds and "le" in bounds:
        yield f" above {bounds['gt']:g}, at most {bounds['le']:g}"
    elif "ge" in bounds:
        yield f", at least {bounds['ge']:g}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

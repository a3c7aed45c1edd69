"""Reading of `.env` files: every line is understood or reported, none is dropped in silence."""

from __future__ import annotations

import io

from dotenv.parser import Binding, parse_stream


def parse(text: str) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """Return the settings of a `.env`, the last of a name, and (line, problem) for what cannot be read.

    A problem never repeats the line: it may hold a secret.
    """
    values: dict[str, str] = {}
    problems: list[tuple[int, str]] = []
    for binding in parse_stream(io.StringIO(text)):
        line = binding.original.line + _leading_breaks(binding.original.string)
        if problem := _problem(binding):
            problems.append((line, problem))
        elif binding.key is not None:
            values[binding.key] = binding.value or ""
    return values, problems


def _problem(binding: Binding) -> str:
    if binding.error:
        return "cannot be read; is a quote not closed?"
    if binding.key is None:
        return ""
    if binding.value is None:
        return "has a name without ="
    if "\n" in binding.value or "\r" in binding.value:
        return "has a value over several lines; is a quote not closed?"
    return ""


def _leading_breaks(text: str) -> int:
    """Return how many empty lines the parser has put before a line."""
    return text[: len(text) - len(text.lstrip())].count("\n")

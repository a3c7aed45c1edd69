"""The result of a command, and the one place that prints it: JSON for programs, text for people."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

from src.domain.errors import ProgramError
from src.system import log, terminal


@dataclass(frozen=True, slots=True)
class Result:
    """What a command found or did.

    `data` is printed with --json, `text` without it (None: nothing). A `verbatim` text is read by a shell and
    is printed as it is; any other is cleaned of control characters. An `error` is raised after the result is
    shown.
    """

    data: object
    text: str | None
    exit_code: int = 0
    verbatim: bool = False
    error: ProgramError | None = None


def show(result: Result, *, as_json: bool) -> int:
    """Print a result and return its exit code. Raise the result's error, if it has one.

    With JSON the error takes the data along: `main` prints one object in any case.
    """
    if as_json and result.error and isinstance(result.data, dict):
        result.error.data = result.data
    elif as_json:
        terminal.write(json.dumps(result.data, indent=1, default=str))
    elif result.text is not None:
        terminal.write(result.text if result.verbatim else clean(result.text))
    if result.error:
        raise result.error
    return int(result.exit_code)


def clean(text: str) -> str:
    """Return a text without characters that would steer the terminal."""
    return "\n".join(log.sanitise(line) for line in text.splitlines())


def on_terminal() -> bool:
    """Return whether a person reads what is printed."""
    return bool(sys.stdout and sys.stdout.isatty())


def confirmed(question: str) -> bool:
    """Ask a question and return whether the answer is yes. No answer, as under cron, is a no."""
    return terminal.ask(f"{question} Type yes: ").lower() == "yes"

"""The result of a command, and the one place that prints it: JSON for programs, text for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from src.domain.errors import ProgramError
from src.system import log, terminal


@dataclass(frozen=True, slots=True)
class Result:
    """What a command found or did.

    `data` is printed with --json together with the exit code, `text` without it (None: nothing). Where the
    exit code is not 0, `data` has a `message` and a `fix`. A `verbatim` text is read by a shell and
    is printed as it is; any other is cleaned of control characters. An `error` is raised after the result is
    shown.
    """

    data: Mapping[str, object]
    text: str | None
    exit_code: int = 0
    verbatim: bool = False
    error: ProgramError | None = None


def show(result: Result, *, as_json: bool) -> int:
    """Print a result and return its exit code. Raise the result's error, if it has one.

    With JSON the error takes the data along: `main` prints one object in any case.
    """
    if as_json and result.error:
        result.error.data = result.data
    elif as_json:
        terminal.write_json({**result.data, "exit_code": int(result.exit_code)})
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


def confirmed(plan: str, question: str, *, as_json: bool) -> bool:
    """Show what would be done and ask; return whether the answer is yes. No answer, as under cron, is a no.

    With JSON both go to standard error: standard output is for the one object.
    """
    terminal.write(clean(plan), aside=as_json)
    return terminal.ask(f"{question} Type yes: ", aside=as_json).lower() == "yes"

"""What install --print prints."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from tests.fake_x import FakeX
from tests.support.accounts import Machine


@contextlib.contextmanager
def awkward_machine(tmp_path: Path) -> Iterator[Machine]:
    """Make a machine whose folders have every character that cron, the shell or systemd treats specially."""
    with FakeX() as x:
        folder = tmp_path / "it's 100% $HOME"
        folder.mkdir()
        made = Machine(folder, x)
        made.add("a", POST_INTERVAL_MINUTES="1440")
        yield made


def printed(machine: Machine, *arguments: str, **env: str) -> str:
    done = machine.cli("install", "--print", *arguments, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def jobs(table: str) -> list[str]:
    return [line for line in table.splitlines() if re.match(r"[\d,]+ ", line)]

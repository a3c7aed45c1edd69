"""Core dumps: a copy of a crashed process's memory on the disk, with the keys in it. There are none."""

from __future__ import annotations

import resource


def forbid() -> None:
    """Let no crash of this process or of its children write a core dump; nobody can undo it but root."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

"""Incomplete bytecode: what a full disk leaves of a module's `.pyc`, because Python does not check its write.

Each later run would end at the import of that module. So the file is removed, and the next run compiles anew.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType

FIX = "type the same again: the module is compiled anew; df -h shows whether the disk has room"
_STORAGE = 74  # as domain/runs has it, whose own bytecode may be the incomplete one


def incomplete_file(error: BaseException) -> Path | None:
    """Return the bytecode that Python could not read when it raised this error, None for any other error."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_code.co_name != "_compile_bytecode":
        return None
    path = trace.tb_frame.f_locals.get("bytecode_path")
    return Path(path) if path else None


def remove(file: Path) -> str:
    """Remove incomplete bytecode; return in a sentence what was done."""
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        return f"{file} is incomplete, as a full disk leaves it, and cannot be removed: {error.strerror}"
    return f"{file} was incomplete, as a full disk leaves it; it is removed"


def tell_at_start() -> None:
    """Tell of incomplete bytecode while the program's own modules are read; the exit code is then 74."""
    sys.excepthook = _hook


def _hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    file = incomplete_file(error)
    if file is None:
        sys.__excepthook__(kind, error, trace)
        return
    sys.stderr.write(f"twitter_manager: {remove(file)}\n  fix: {FIX}\n")
    sys.exit(_STORAGE)

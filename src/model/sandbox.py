"""The sandbox of the model's processes: no network, and an end with the parent or when memory runs out."""

from __future__ import annotations

import contextlib
import ctypes
import resource
from pathlib import Path

_PR_SET_PDEATHSIG, _SIGKILL, _CLONE_NEWNET, _CLONE_NEWUSER = 1, 9, 0x40000000, 0x10000000


def isolate() -> None:
    """End with the parent, end first when memory runs out, and leave the network if the kernel allows it.

    A crash leaves no core dump. Only Linux has the other calls. Elsewhere the process still has no keys, a
    time limit, and an end of its own when its pipe closes.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # as system/core_dumps, which is not imported here
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if hasattr(libc, "unshare") and libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)

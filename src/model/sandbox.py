"""The sandbox of the model's processes: no network, and an end with the parent or when memory runs out.

Two barriers stand between such a process and the network, and one is enough. A name space of its own has no
network; containers and the printed systemd unit allow none to be made. A filter of system calls refuses every
socket but one of this machine's file system; it needs no right, and the files stay readable. `python -m
src.model.sandbox` says which of them this machine allows: `check` asks it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 38, 22
_SECCOMP_MODE_FILTER = 2
_SIGKILL, _CLONE_NEWNET = 9, 0x40000000
# What `uname -m` says: the number of its ABI in audit.h, and those of the calls that may make a socket.
_MACHINES = {"x86_64": (0xC000003E, (41, 425)), "aarch64": (0xC00000B7, (198, 425))}  # socket, io_uring_setup
_AF_UNIX = 1
_X32_BIT = 0x40000000
_EACCES = 13
# The kernel's struct seccomp_data: where the number of a call, its ABI and its first argument stand.
_NUMBER_AT, _ABI_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | _EACCES


@contextlib.contextmanager
def private_stdout() -> Iterator[IO[str]]:
    """Give a private copy of standard output for the answers; what libraries print goes to standard error."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as private:
        os.dup2(2, 1)
        yield private


def isolate() -> frozenset[str]:
    """End with the parent, end first when memory runs out, and leave the network; return the barriers.

    `name space` and `filter` are what the kernel allowed; one is enough. A crash leaves no core dump.
    Only Linux has these calls. Elsewhere the process still has no keys, a time limit, and an end of its own
    when its pipe closes.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # as system/core_dumps, which is not imported here
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    barriers = set()
    # Never a name space of users as well: root in it could not read another user's files of a model.
    if hasattr(libc, "unshare") and libc.unshare(_CLONE_NEWNET) == 0:
        barriers.add("name space")
    if hasattr(libc, "prctl") and _filter_sockets(libc):
        barriers.add("filter")
    return frozenset(barriers)


def _filter_sockets(libc: Any) -> bool:
    """Let the kernel refuse sockets to this process and all that it starts. Return whether it will."""
    program = filter_program(platform.machine())
    if not program:
        return False
    instructions = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: a count and a pointer, aligned as C does.
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return bool(
        libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.create_string_buffer(head), 0, 0) == 0
    )


def filter_program(machine: str) -> bytes:
    """Return the filter for a machine (as `uname -m` names it) as BPF instructions, empty for an unknown one.

    Refused: sockets that are none of the file system, io_uring, which could make some, and all calls of
    another ABI, whose numbers mean other things.
    """
    if machine not in _MACHINES:
        return b""
    abi, (socket, io_uring) = _MACHINES[machine]
    steps = [
        (_LOAD, 0, 0, _ABI_AT),
        (_JUMP_EQUAL, 0, 7, abi),  # another ABI: refuse
        (_LOAD, 0, 0, _NUMBER_AT),
        (_JUMP_AT_LEAST, 5, 0, _X32_BIT),  # the x32 ABI: refuse
        (_JUMP_EQUAL, 4, 0, io_uring),
        (_JUMP_EQUAL, 0, 2, socket),  # anything else: allow
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_JUMP_EQUAL, 0, 1, _AF_UNIX),  # another family: refuse
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


if __name__ == "__main__":
    sys.stdout.write(", ".join(sorted(isolate())))

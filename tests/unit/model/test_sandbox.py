"""The sandbox of the model's processes: barriers before the network, and what only Linux has is asked for."""

import os
import struct
from types import SimpleNamespace

import pytest

from src.model import sandbox, worker
from src.model.sandbox import filter_program

X86, ARM = 0xC000003E, 0xC00000B7
ALLOW, REFUSE = 0x7FFF0000, 0x0005000D


class Calls:
    """A C library that notes what is called; `unshare` and the filter answer as they are told."""

    def __init__(self, unshare=-1, seccomp=0):
        self.made, self._unshare, self._seccomp = [], unshare, seccomp

    def prctl(self, call, *arguments):
        self.made.append(("prctl", call))
        return self._seccomp if call == 22 else 0

    def unshare(self, flags):
        self.made.append(("unshare", flags))
        return self._unshare


@pytest.fixture
def elsewhere(monkeypatch):
    """Write the process's score nowhere."""
    monkeypatch.setattr(sandbox, "Path", lambda name: SimpleNamespace(write_text=lambda *_, **__: None))
    return monkeypatch


@pytest.mark.parametrize(
    ("unshare", "seccomp", "barriers"),
    [(0, 0, {"name space", "filter"}), (-1, 0, {"filter"}), (0, -1, {"name space"}), (-1, -1, set())],
)
def test_the_calls_of_linux(elsewhere, unshare, seccomp, barriers):
    """The process dies with its parent, and tells which barriers the kernel allowed; no name space of users is tried."""
    calls = Calls(unshare, seccomp)
    elsewhere.setattr(sandbox.ctypes, "CDLL", lambda *_, **__: calls)
    elsewhere.setattr(sandbox.platform, "machine", lambda: "x86_64")
    assert sandbox.isolate() == barriers
    assert calls.made == [("prctl", 1), ("unshare", 0x40000000), ("prctl", 38), ("prctl", 22)]


def test_a_system_without_them(elsewhere):
    """On a system without these calls nothing is asked for, nothing fails, and no barrier is claimed."""
    elsewhere.setattr(sandbox.ctypes, "CDLL", lambda *_, **__: SimpleNamespace())
    assert sandbox.isolate() == set()


def decide(program, abi, number, first=0):
    """Run a BPF program as the kernel does on one call; return its answer."""
    steps = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    data = {0: number, 4: abi, 16: first}
    at, accumulator = 0, 0
    while True:
        code, yes, no, value = steps[at]
        at += 1
        if code == 0x06:
            return value
        if code == 0x20:
            accumulator = data[value]
        else:
            at += yes if (accumulator == value if code == 0x15 else accumulator >= value) else no


@pytest.mark.parametrize(
    ("machine", "abi", "number", "first", "answer"),
    [
        ("x86_64", X86, 41, 1, ALLOW),  # socket(AF_UNIX)
        ("x86_64", X86, 41, 2, REFUSE),  # socket(AF_INET)
        ("x86_64", X86, 41, 10, REFUSE),  # socket(AF_INET6)
        ("x86_64", X86, 41, 17, REFUSE),  # socket(AF_PACKET)
        ("x86_64", X86, 425, 0, REFUSE),  # io_uring_setup
        ("x86_64", X86, 0, 2, ALLOW),  # read
        ("x86_64", X86, 198, 2, ALLOW),  # socket of the other machine
        ("x86_64", X86, 41 | 0x40000000, 1, REFUSE),  # the x32 ABI
        ("x86_64", 0x40000003, 41, 1, REFUSE),  # 32 bits
        ("aarch64", ARM, 198, 1, ALLOW),
        ("aarch64", ARM, 198, 2, REFUSE),
        ("aarch64", ARM, 425, 0, REFUSE),
        ("aarch64", ARM, 63, 2, ALLOW),
        ("aarch64", X86, 63, 2, REFUSE),
    ],
)
def test_the_filter(machine, abi, number, first, answer):
    """Sockets of the network and what could make them are refused, whichever way the call is numbered."""
    assert decide(filter_program(machine), abi, number, first) == answer


def test_an_unknown_machine():
    """Where the numbers of the calls are not known, there is no filter."""
    assert filter_program("riscv64") == b""


def test_cores(monkeypatch):
    """The cores that this process may use, or all where the system does not tell."""
    assert worker.usable_cores() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert worker.usable_cores() == 7

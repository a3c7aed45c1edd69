"""What only Linux has is asked for, not assumed."""

import os
from types import SimpleNamespace

import pytest

from src.model import sandbox, worker


class Calls:
    """A C library that notes what is called; `unshare` fails as for a user without rights."""

    def __init__(self):
        self.made = []

    def prctl(self, *arguments):
        self.made.append(("prctl", *arguments))
        return 0

    def unshare(self, flags):
        self.made.append(("unshare", flags))
        return -1


@pytest.fixture
def elsewhere(monkeypatch):
    """Write the process's score nowhere."""
    monkeypatch.setattr(sandbox, "Path", lambda name: SimpleNamespace(write_text=lambda *_, **__: None))
    return monkeypatch


def test_the_calls_of_linux(elsewhere):
    """The process dies with its parent; without the right to leave the network it tries a name space of its own."""
    calls = Calls()
    elsewhere.setattr(sandbox.ctypes, "CDLL", lambda *_, **__: calls)
    sandbox.isolate()
    assert calls.made == [("prctl", 1, 9), ("unshare", 0x40000000), ("unshare", 0x50000000)]


def test_a_system_without_them(elsewhere):
    """On a system without these calls nothing is asked for, and nothing fails."""
    elsewhere.setattr(sandbox.ctypes, "CDLL", lambda *_, **__: SimpleNamespace())
    sandbox.isolate()


def test_cores(monkeypatch):
    """The cores that this process may use, or all where the system does not tell."""
    assert worker.usable_cores() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert worker.usable_cores() == 7

"""Exit 70 means a bug: random invocations find none. The long suite plays 20,000 of them, and 300 processes."""

import io
import sys

import pytest

from src.content.intake import read_stream
from src.domain.errors import ConfigError, UsageError
from src.system import failpoints, terminal
from tests.support import invocations


def test_invocations():
    """Whatever is typed, set, piped or broken, the exit code is one of those that the README names, and never 70."""
    codes = invocations.play_all(range(30_000, 30_400))
    assert set(codes) <= invocations.GOOD
    assert {0, 2, 74, 78} <= set(codes)


def test_processes():
    """The same as real processes, with real streams that are closed, full or broken."""
    assert (
        set(invocations.play_all(range(200_000, 200_012), invocations.spawn)) <= invocations.GOOD_OF_A_PROCESS
    )


def test_nothing_is_written_elsewhere(tmp_path):
    """Each of the 20,000 has its data and its logs in its own folder, or where nobody can make any."""
    nowhere = ("/dev/", "/proc/", "~nobody/", "~no-such-user/")
    for number in range(20_000):
        environment = invocations.make(number, tmp_path).environment
        for name in ("DATA_DIR", "LOG_DIR"):
            place = environment[name]
            assert place == "~" or place.startswith((str(tmp_path), *nowhere)), (number, name, place)
        assert not environment["LOG_DIR"].startswith("~no"), "the program would take the checkout's own"


def test_a_bug_is_seen(monkeypatch):
    """What these tests look for is found where it is planted."""
    monkeypatch.setattr(failpoints, "arm", lambda plan: 1 / 0)
    assert 70 in invocations.play_all(range(30_000, 30_020))


def test_an_unknown_failpoint():
    """A failpoint that is none is a setting to change, not a bug."""
    with pytest.raises(ConfigError, match="no failpoint 'nonsense'"):
        failpoints.arm("nonsense:kill")


def test_binary_input():
    """Input that is no text is refused with what to do."""
    with pytest.raises(UsageError, match="no text in utf-8"):
        read_stream(io.TextIOWrapper(io.BytesIO(b"\x80\xff"), encoding="utf-8"))


def test_a_full_disk_behind_standard_output(monkeypatch, tmp_path):
    """A result that cannot be written is an error, and what Python flushes at its end goes nowhere."""
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(OSError, match="No space left"):
            terminal.write("a result")
        full.flush()

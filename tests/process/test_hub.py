"""Downloads that end in the middle: killed, or without room."""

import os
import signal

import pytest

from src.domain.errors import ProgramError
from src.system import failpoints
from tests.support.downloads import FILES, WEIGHTS, bring


@pytest.fixture
def place(tmp_path):
    return tmp_path / "models" / ".work"


def test_killed_in_the_middle(server, tmp_path, place):
    """kill -9 in the middle of a download: the next try asks only for the rest, and nothing is taken for whole before."""
    repo = server.add("owner/name", FILES)
    pid = os.fork()
    if pid == 0:
        failpoints.arm("model.part:kill")
        bring(server, tmp_path, place, repo)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    part = place / "model.safetensors.part"
    assert 0 < part.stat().st_size < len(WEIGHTS)
    assert not (place / "model.safetensors").exists()
    there = part.stat().st_size
    bring(server, tmp_path, place, repo)
    assert (place / "model.safetensors").read_bytes() == WEIGHTS
    assert server.bytes_asked("model.safetensors")[-1] == f"bytes={there}-"
    assert not part.exists()


def test_disk_full_in_the_middle(server, tmp_path, place):
    """No room in the middle of a download is told as such, exit 74."""
    import resource

    repo = server.add("owner/name", FILES)
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
        try:
            bring(server, tmp_path, place, repo)
        except ProgramError as trouble:
            os._exit(int(trouble.exit_code) if "room" in trouble.fix.render() else 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 74
    bring(server, tmp_path, place, repo)

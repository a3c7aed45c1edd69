"""What the machine refuses in the middle of a run: the owner hears the disk's fault, not one of the program."""

import errno
import json
import os

import pytest

from src import twitter_manager
from src.domain.errors import StorageError
from src.system import machine
from tests.support.world import new_world


@pytest.fixture
def world(tmp_path, hook):
    with new_world(tmp_path) as made:
        made.extra["ALERT_URLS"] = f"json://127.0.0.1:{hook.server_port}/hook"
        yield made


def failing(monkeypatch, error):
    """Let the module that a run reads after its checks fail to be read."""

    def fail(*_):
        raise error

    monkeypatch.setattr(twitter_manager, "reconcile", fail)


def alerts(hook):
    return [json.loads(body)["message"] for _, body in hook.seen]


@pytest.mark.parametrize("number", sorted(machine.FIXES), ids=errno.errorcode.get)
def test_the_machine_refuses(world, hook, monkeypatch, number):
    """Disk, descriptors, memory: 74 with the fix for each, on record, and told as any other failure."""
    failing(monkeypatch, OSError(number, os.strerror(number), "/srv/program/module.py"))
    with pytest.raises(StorageError, match="/srv/program/module.py") as caught:
        world.tick()
    assert caught.value.fix == machine.FIXES[number]
    assert [row["exit_code"] for row in world.rows("SELECT exit_code FROM runs")] == [74]
    assert len(alerts(hook)) == 1


def test_no_memory(world, hook, monkeypatch):
    failing(monkeypatch, MemoryError())
    with pytest.raises(StorageError) as caught:
        world.tick()
    assert caught.value.fix == machine.FIX_MEMORY


@pytest.mark.parametrize("error", [OSError(errno.ENOENT, "gone"), KeyError("row")])
def test_a_bug_is_told_too(world, hook, monkeypatch, error):
    """A bug stays one, and it reaches the owner as any failure does."""
    failing(monkeypatch, error)
    with pytest.raises(type(error)):
        world.tick()
    (told,) = alerts(hook)
    assert f"a bug: {type(error).__name__}" in told
    assert [row["exit_code"] for row in world.rows("SELECT exit_code FROM runs")] == [70]

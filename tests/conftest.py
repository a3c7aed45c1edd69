"""Fixtures that several files share, and the marks that folders and needs set."""

import contextlib
import os

import pytest

from src.db_manager import open_database
from tests.fake_x import FakeX
from tests.support import levels, needs
from tests.support.accounts import Machine
from tests.support.hooks import new_hook
from tests.support.scenarios import memory_folder, new_stage
from tests.support.stored import NOW
from tests.support.world import new_world

os.environ.setdefault(
    "OMP_WAIT_POLICY", "passive"
)  # before torch is loaded; why, see model.child.environment
pytest_plugins = ["tests.support.models", "tests.support.report"]


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marks
def pytest_collection_modifyitems(items):
    """Set the mark of the folder that a test lies in."""
    for item in items:
        if mark := levels.mark(item.path):
            item.add_marker(mark)


@pytest.hookimpl(tryfirst=True)  # before its fixtures are made
def pytest_runtest_setup(item):
    """Skip a test whose needs are missing, with the line that installs them; in CI let it fail."""
    wanted = [name for mark in item.iter_markers("needs") for name in mark.args]
    for name in [*wanted, *(["model"] if item.get_closest_marker("model") else [])]:
        needs.need(name)


@pytest.fixture
def tmp_path(request, tmp_path_factory):
    """Make a folder of the test's own, in memory if it is small: syncing takes most of a tick's time."""
    if levels.level(request.path) in levels.IN_MEMORY and not request.node.get_closest_marker("model"):
        with memory_folder() as folder:
            yield folder
    else:
        yield tmp_path_factory.mktemp("test", numbered=True)


@pytest.fixture
def db(tmp_path):
    """Make a new database in a file."""
    with contextlib.closing(open_database(tmp_path / "twitter.db", NOW)) as made:
        yield made


@pytest.fixture
def world(tmp_path):
    """Make a fresh account, an empty folder and a clock that moves."""
    with new_world(tmp_path) as made:
        yield made


@pytest.fixture
def hook():
    """Run a webhook on loopback."""
    with new_hook() as server:
        yield server


@pytest.fixture
def stage():
    """One fake X for many scenarios, on a disk in memory."""
    with memory_folder() as folder, new_stage(folder) as made:
        yield made


@pytest.fixture
def machine(tmp_path):
    """Make a machine for several accounts, in real time."""
    with FakeX() as x:
        yield Machine(tmp_path, x)


@pytest.fixture
def as_root():
    """Return the words that make a command run as root."""
    return needs.root_prefix()

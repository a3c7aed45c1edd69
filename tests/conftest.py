"""Fixtures that several files share."""

import importlib
import os
import shutil

import pytest

from src.domain.errors import ModelError
from src.model import choose
from tests.support.world import new_world

os.environ.setdefault(
    "OMP_WAIT_POLICY", "passive"
)  # before torch is loaded; why, see model.child.environment


@pytest.fixture
def world(tmp_path):
    """A fresh account, an empty folder, a clock that moves."""
    with new_world(tmp_path) as made:
        yield made


def embedded_model(settings):
    """The installed embedded model; `make model` puts it there."""
    try:
        return choose.locate(settings)
    except ModelError as trouble:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(trouble) + ": " + trouble.fix)


def need(program, package):
    """Skip, or in CI fail, where a Debian package is missing."""
    if shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin"):
        return
    message = f"{program} is missing; type: apt-get install {package}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def need_module(name):
    """Import a package of requirements-dev.txt; skip, or in CI fail, where it is missing."""
    if os.environ.get("CI"):
        return importlib.import_module(name)
    return pytest.importorskip(
        name, reason=f"{name} is missing; type: pip install -r requirements-dev.txt -c constraints.txt"
    )

"""Ticks read the shipped library for each new account; once for all of them is enough."""

import pytest

from tests.support.library import library_read_once


@pytest.fixture(autouse=True, scope="session")
def _library_read_once():
    with library_read_once():
        yield

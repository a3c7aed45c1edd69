"""The writer lock: one holder, a wait with an end, and one sentence for everybody else."""

import pytest

from src.domain.errors import BusyError
from src.domain.fixes import Fix
from src.domain.runs import Exit
from src.system.lock import sole_writer, writer_lock


def test_a_second_run_is_refused(tmp_path):
    """The exit code and the sentence are the same for every command; the fix is the caller's."""
    path = tmp_path / "twitter.db"
    with sole_writer(path):
        with (
            pytest.raises(BusyError, match="another run is in progress") as caught,
            sole_writer(path, fix=Fix("do this")),
        ):
            pytest.fail("two holders")
        assert (caught.value.exit_code, caught.value.fix.render()) == (Exit.USAGE, "do this")
    with sole_writer(path):
        pass


def test_waiting_for_the_lock(tmp_path):
    """The lock is taken as soon as it is free, and not waited for any longer than asked."""
    path, slept = tmp_path / "twitter.db", []
    holder = writer_lock(path)
    assert holder.__enter__()

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            holder.__exit__(None, None, None)

    with sole_writer(path, wait=60, sleep=sleep):
        assert len(slept) == 3
        again = []
        with pytest.raises(BusyError), sole_writer(path, wait=2, sleep=again.append):
            pytest.fail("two holders")
        assert sum(again) == 2


def test_an_error_of_the_block_frees_the_lock(tmp_path):
    """Also `BusyError` itself passes through unchanged."""
    path = tmp_path / "twitter.db"
    inner = BusyError("of the block")
    with (
        pytest.raises(BusyError) as caught,
        sole_writer(path, wait=60, sleep=lambda _s: pytest.fail("waited")),
    ):
        raise inner
    assert caught.value is inner
    with sole_writer(path):
        pass

"""A crash leaves no copy of its memory."""

import os
import resource
import signal

from src.system import core_dumps


def crashed(first):
    """How a process ended that called `first` and then aborted, with all the core that the limit allows."""
    child = os.fork()
    if not child:
        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (most, most))
        first()
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGABRT)
    return os.waitpid(child, 0)[1]


def test_a_crash(tmp_path, monkeypatch):
    """The process ends by the signal and has dumped nothing, whatever the limit was before."""
    monkeypatch.chdir(tmp_path)
    status = crashed(core_dumps.forbid)
    assert os.WTERMSIG(status) == signal.SIGABRT
    assert not os.WCOREDUMP(status)
    assert list(tmp_path.iterdir()) == []


def test_the_limit_holds_for_children():
    """A child inherits the limit."""
    child = os.fork()
    if not child:
        core_dumps.forbid()
        if not os.fork():
            os._exit(resource.getrlimit(resource.RLIMIT_CORE) != (0, 0))
        os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

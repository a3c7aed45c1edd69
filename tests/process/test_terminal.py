"""Closed streams, narrow encodings, readers that leave, and people who take their time."""

import os
import subprocess
import sys
import time

import pytest

from src.config import ROOT
from tests.support.world import new_world

MODULE = [sys.executable, "-m", "src.twitter_manager"]


@pytest.fixture
def world(tmp_path):
    """An account with one post."""
    with new_world(tmp_path) as made:
        made.warm()
        made.texts.queue.append("Quotes \u201cand\u201d dashes \u2014 are no bug.")
        assert made.tick().outcome == "posted"
        yield made


def env_of(world, **more):
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **world.env, **more}


def post_id(world):
    return str(world.ours()[-1]["id"])


@pytest.mark.parametrize("closed", ["<&-", "</dev/null"])
def test_a_question_that_nobody_can_answer(world, closed):
    """Without standard input nothing is deleted, and that is said."""
    done = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *MODULE, "undo", post_id(world)],
        env=env_of(world), cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("nothing was deleted: only the whole word yes deletes\n")


def test_a_draft_without_standard_input(world):
    """A text that is to come from a closed standard input is an empty one: refused, not a bug."""
    done = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *MODULE, "drafts", "edit", "1", "-"],
        env=env_of(world), cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_an_encoding_lacks(world, encoding):
    """Any encoding of the terminal will do: what it lacks is shown as an escape."""
    done = subprocess.run(
        [*MODULE, "history"],
        env=env_of(world, PYTHONIOENCODING=encoding), cwd="/", capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = done.stdout.decode(encoding)
    assert ("\u201cand\u201d" if encoding == "utf-8" else "\\u201cand\\u201d") in shown


def test_a_reader_that_leaves(world):
    """`history | head -1` ends quietly."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*MODULE, "history"],
        env=env_of(world),
        cwd="/",
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [["undo"], ["drafts", "edit"]])
def test_who_is_asked_may_take_their_time(world, arguments):
    """A command that waits for a person does not keep the runs from posting."""
    typed = [*arguments, post_id(world), *(["-"] if "edit" in arguments else [])]
    waiting = subprocess.Popen(
        [*MODULE, *typed],
        env=env_of(world),
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        until = time.monotonic() + 30
        while "undo" in arguments and b"Type yes" not in (waiting.stdout.read1() or b"Type yes"):
            assert time.monotonic() < until
        time.sleep(1.0 if "edit" in arguments else 0.0)  # it has nothing to say before it reads
        world.next_slot()
        assert world.tick().outcome == "posted"
    finally:
        waiting.kill()
        waiting.communicate()


def test_a_crash_leaves_no_core_dump(world):
    """The process with the keys may write no core dump, and nothing it starts may."""
    code = "import resource; from src.twitter_manager import main; main(['history']); print(resource.getrlimit(resource.RLIMIT_CORE))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=env_of(world), cwd="/", capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith("(0, 0)\n")


@pytest.mark.parametrize(
    ("words", "redirected", "code"),
    [
        ("nonsense", "2>/dev/full", 2),
        ("--nonsense", "2>/dev/full", 2),
        ("history -n 0", ">/dev/full 2>/dev/full", 2),
        ("history", "2>/dev/full", 0),
        ("history", ">/dev/full 2>/dev/full", 74),
        ("history --json", ">/dev/full 2>&-", 74),
        ("drafts show 99", "2>/dev/full", 2),
        ("drafts show 99", "2>/dev/full | true", 2),
    ],
)
def test_a_full_disk_behind_the_streams(world, words, redirected, code):
    """The exit code is the program's own, whatever a stream refuses: Python's 120 never takes its place."""
    shell = f'set -o pipefail; "$@" {words} {redirected}; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", shell, "bash", *MODULE],
        env=env_of(world), cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code
    assert "Traceback" not in done.stderr

"""Four profiles of one machine side by side: none posts what another posted, from the first hour on."""

import os

from src.posting import apart
from src.system import failpoints
from tests.support.library import library_read_once
from tests.support.supply import NOW, live_together, profiles_of_one_machine, shared_within


def test_four_profiles_share_no_statement(tmp_path):
    """Each has its six posts a day, its own order of them, and no statement of another's."""
    extra = {"POSTS_PER_DAY": "6", "CANDIDATES": "0", "DAILY_BUDGET_USD": "9", "MONTHLY_BUDGET_USD": "99"}
    with library_read_once():
        posted = live_together(profiles_of_one_machine(tmp_path, 4, **extra), 1)
    assert [len(posts) for posts in posted] == [6] * 4
    assert shared_within(posted, 30) == []
    assert len({statement for posts in posted for _, statement, *_ in posts}) == 24
    assert len({posts[0][1] for posts in posted}) == 4


def test_a_profile_with_nothing_left_says_so(tmp_path):
    """Where the library is too small for all, the last goes without: it never borrows."""
    file = tmp_path / "small.jsonl"
    words = "apple river stone cloud tiger maple".split()
    file.write_text(
        "".join(
            f'{{"id": "a-{n}", "topic": "T{n % 3}", "reference": "none",'
            f' "statement": "A {word} is number {n} of the {word[::-1]} kind."}}\n'
            for n, word in enumerate(words)
        )
    )
    extra = {
        "POSTS_PER_DAY": "4",
        "CANDIDATES": "0",
        "SOURCES": str(file),
        "BUILTIN_LIBRARY": "false",
        "DAILY_BUDGET_USD": "9",
    }
    posted = live_together(profiles_of_one_machine(tmp_path / "data", 2, **extra), 2)
    assert sum(map(len, posted)) == 6
    assert min(map(len, posted)) > 0
    assert shared_within(posted, 30) == []


def test_two_at_once(tmp_path):
    """Of two processes that want one statement in one moment, one gets it."""
    accounts = profiles_of_one_machine(tmp_path, 2)
    for number in range(10):
        children = []
        for settings in accounts:
            pid = os.fork()
            if pid == 0:
                os._exit(10 if apart.reserve(settings, f"s-{number}", NOW) else 11)
            children.append(pid)
        codes = sorted(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children)
        assert codes == [10, 11]


def test_a_run_that_is_killed_after_it_took_a_statement(tmp_path):
    """The statement stays its own: nobody else posts it, and the run that follows may."""
    one, other = profiles_of_one_machine(tmp_path, 2)
    pid = os.fork()
    if pid == 0:
        failpoints.arm("statement.reserved:kill")
        apart.reserve(one, "s-1", NOW)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9
    assert not apart.reserve(other, "s-1", NOW)
    assert apart.reserve(one, "s-1", NOW)

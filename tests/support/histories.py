"""Random histories: faults, kills, a clock that is wrong, and a person who tweets and deletes by hand."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from src.system import failpoints
from tests.support.scenarios import POSTS, READS, Tally, judge, killer
from tests.support.world import new_world

NAMES = [n for n in failpoints.NAMES if not n.startswith("tokens.")]


BASE = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Histories(RuleBasedStateMachine):
    """One account's life. After each step nothing is doubled or invented; at the end nothing is lost."""

    tally = Tally()

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="twitter_manager-", dir=BASE))
        self.stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.world = self.stack.enter_context(new_world(self.folder, LOG_LEVEL="ERROR"))
        self.x = self.world.x
        self.mode = "normal"

    def _run(self, post: str, first: Callable[[], object] | None = None) -> None:
        self.x._faults["POST"].clear()
        self.x.on_post(POSTS[post]())
        code = self.world.forked(first=first)
        self.x._faults["POST"].clear()
        self.tally.kills += code == -9
        self.tally.other["runs"] += 1
        assert code in {-9, 0, 69, 74, 75, 76, 77}, code

    @rule(post=st.sampled_from(sorted(POSTS)))
    def run(self, post: str) -> None:
        self._run(post)

    @rule(post=st.sampled_from(sorted(POSTS)), name=st.sampled_from(NAMES), nth=st.integers(1, 3))
    def die(self, post: str, name: str, nth: int) -> None:
        self._run(post, killer(name, nth))

    @rule(minutes=st.sampled_from([1, 16, 21, 60, 60, 60, 180, 1500]))
    def sleep(self, minutes: int) -> None:
        self.world.move(minutes=minutes)

    @rule(minutes=st.sampled_from([-120, -20, 20, 60, 600, 30 * 24 * 60]))
    def set_the_clock_wrong(self, minutes: int) -> None:
        self.set_the_clock_right()
        self.world.jump(minutes=minutes)

    @rule()
    def set_the_clock_right(self) -> None:
        self.world.jump(seconds=-self.world.skew)

    @rule(mode=st.sampled_from(sorted(READS)))
    def the_timeline_changes(self, mode: str) -> None:
        self.mode = mode
        self.x.always_get, self.x.read_lag = None, 0.0
        for name, value in READS[mode].items():
            setattr(self.x, name, value)

    @rule()
    def a_person_tweets(self) -> None:
        self.x.tweet_by_hand(f"A person's thought number {len(self.x.accepted)}.")

    @rule(which=st.integers(0, 3))
    def a_person_deletes(self, which: int) -> None:
        left = [t for t in self.x.accepted if not t.deleted]
        if len(left) > which:
            self.x.delete_by_hand(left[-1 - which].id)

    @invariant()
    def nothing_is_doubled_or_invented(self) -> None:
        verdict = judge(self.world)
        assert verdict.doubled == 0
        assert verdict.invented == 0
        assert verdict.sound

    def teardown(self) -> None:
        try:
            self.set_the_clock_right()
            self.the_timeline_changes("normal")
            for minutes in (1, 17, 42, 60, 25 * 60, 25 * 60, 60):
                self.world.move(minutes=minutes)
                self._run("ok")
            verdict = judge(self.world)
            self.tally.add(verdict)
            assert verdict.good, (verdict, self.world.statuses())
            self.world.next_slot()
            before = len(self.x.texts())
            self._run("ok")
            assert len(self.x.texts()) == before + 1, "the bot is locked out"
        finally:
            self.stack.close()


def run_histories(count: int, steps: int) -> Tally:
    Histories.tally = Tally()
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=count,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=count < 100,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Histories.tally

"""Bugs on purpose in the rules of evidence. Each is planted into a fork, which plays worlds until one breaks.

Two rules that worlds hardly reach have tests of their own: that a read which was cut off proves no absence
(`test_what_counts_for_no_absence`), and that a clock which was ahead gives no post up
(`test_killed_under_a_clock_that_is_days_ahead`).
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.support.mutants import Mutant, plant

RECONCILE = "posting/reconcile.py"
SHOWN = "left, right = _normal(html.unescape(shown)),"
PROOF = "store/migrations/0003_proof.sql"

REFUSED = {"minutes": 1440, "refused": True}  # the slot lasts, so that it can be used again

FREES = ("400", "text", "401", "429")  # after these the slot or the text is free again within the day

# The kind of worlds in which each can show.
KINDS: dict[str, dict[str, Any]] = {
    "a slot is free after 15 minutes": {**REFUSED, "answers": FREES, "lag": 20, "pauses": (1, 6, 16)},
    "a read without a known tweet counts": {**REFUSED, "reads": "empty"},
    "no pages: the first one is taken for all": {**REFUSED, "look": {"sizes": (1, 2)}, "person": "tweets"},
    "an item that cannot be understood is nothing": {
        **REFUSED,
        "answers": FREES,
        "look": {"garbled": 0.8},
        "lag": 20,
        "pauses": (1, 16, 46),
    },
    "t.co stands for nothing": {**REFUSED, "links": True},
    "an edit is a new tweet": {"person": "edits"},
    "a tweet that was rewritten is nothing": {**REFUSED, "person": "rewrites"},
    "replies are adopted": {"person": "replies"},
    "quotes are adopted": {"person": "quotes"},
    "a database that was lost does not rest": {
        "minutes": 1440,
        "loses_database": True,
        "lag": 20,
        "pauses": (1, 2, 6),
    },
    **dict.fromkeys(
        (
            "absence after one read",
            "no waiting before absence counts",
            "reads right after the send count",
        ),
        REFUSED,
    ),
}

MUTANTS = (
    Mutant(
        "absence after one read",
        (
            (RECONCILE, "ABSENT_READS = 2", "ABSENT_READS = 1"),
            (PROOF, "OLD.absent >= 2", "OLD.absent >= 1"),
            (PROOF, "OLD.absent < 2", "OLD.absent < 1"),
        ),
    ),
    Mutant(
        "no waiting before absence counts",
        (
            (RECONCILE, "ABSENT_AFTER = timedelta(minutes=15)", "ABSENT_AFTER = timedelta(0)"),
            (RECONCILE, "FREE_AFTER = timedelta(minutes=45)", "FREE_AFTER = timedelta(0)"),
        ),
    ),
    Mutant(
        "a slot is free after 15 minutes",
        ((RECONCILE, "FREE_AFTER = timedelta(minutes=45)", "FREE_AFTER = ABSENT_AFTER"),),
    ),
    Mutant(
        "reads right after the send count",
        ((RECONCILE, "absent=look.canary and shows_all and waited", "absent=look.canary and shows_all"),),
    ),
    Mutant(
        "a read without a known tweet counts",
        ((RECONCILE, "absent=look.canary and shows_all", "absent=shows_all"),),
    ),
    Mutant(
        "no pages: the first one is taken for all",
        (
            (RECONCILE, "range(1, LOOK_PAGES)", "()"),
            (RECONCILE, "tweets=tweets, odd=odd)", "tweets=tweets, odd=odd, complete=page.healthy)"),
        ),
    ),
    Mutant(
        "an item that cannot be understood is nothing",
        ((RECONCILE, "complete and not look.read.odd and not edited", "complete and not edited"),),
    ),
    Mutant(
        "t.co stands for nothing",
        (("domain/texts.py", "if left == right or SHORT_LINK not in left:", "if True:"),),
    ),
    Mutant(
        "an edit is a new tweet",
        (("x/responses.py", '_earlier_ids(tweet_id, item.get("edit_history_tweet_ids"))', "()"),),
    ),
    Mutant(
        "a tweet that was rewritten is nothing",
        ((RECONCILE, "not look.read.odd and not edited", "not look.read.odd"),),
    ),
    Mutant(
        "replies are adopted",
        (("domain/texts.py", SHOWN, f'{SHOWN.removesuffix(",")}.split("@friend ")[-1],'),),
    ),
    Mutant(
        "quotes are adopted",
        (("domain/texts.py", SHOWN, f'{SHOWN.removesuffix(",")}.split(" https://t.co/a1B2")[0],'),),
    ),
    Mutant(
        "a tweet that is found late is a stranger's",
        ((RECONCILE, "        if lost is None or not made_since(", "        if True or not made_since("),),
    ),
    Mutant(
        "a database that was lost does not rest",
        (("posting/history.py", "        _rest(run)\n", "        pass\n"),),
    ),
)


def first_broken(mutant: Mutant, numbers: Iterable[int]) -> tuple[int | None, str]:
    """Play these worlds with a bug, in a fork; return the first that breaks a promise, and its story."""
    folder = Path(
        tempfile.mkdtemp(
            prefix="twitter_manager-mutant-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        )
    )
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        code, words = 2, ""
        try:
            plant(mutant, folder)
            (folder / "world").mkdir()
            found, words = importlib.import_module("tests.support.worlds").first_broken(
                folder / "world", numbers, **KINDS.get(mutant.name, {})
            )
            code, words = 0, f"{'' if found is None else found}\n{words}"
        except BaseException as error:
            words = f"\n{type(error).__name__}: {error}"
        os.write(write, words.encode()[:60_000])
        os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        number, _, story = pipe.read().decode("utf-8", "replace").partition("\n")
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    shutil.rmtree(folder, ignore_errors=True)
    assert status == 0, f"the worlds themselves broke: {status} {story}"
    return (int(number) if number else None), story

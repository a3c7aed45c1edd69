"""The judgement and the one screen, over a real account: every reason with its fix, and silence when all is well."""

import json
import re
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from src import __version__, config
from src.commands import history as history_command
from src.commands.command import Context
from src.content.freshness import Item, days_left
from src.domain.errors import StorageError
from src.domain.fixes import Fix
from src.domain.runs import Exit, Hold, RunOutcome, RunRecord, TickResult
from src.domain.texts import Draft
from src.posting.breaker import breaker_state
from src.system.clock import Clock
from src.upkeep.maintenance import maintain
from src.watch import health, status
from src.watch import overview as present
from src.watch.facts import Facts, Login, Maintenance, Outside, Stock
from tests import fake_x
from tests.support.library import library_read_once, small_library
from tests.support.upkeep import open_now
from tests.support.world import new_world

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quick_library():
    """Judging a library takes long, and each look at it would."""
    with library_read_once():
        yield


@pytest.fixture
def world(tmp_path):
    """An account with a past."""
    with new_world(tmp_path, **small_library(tmp_path, 800)) as made:
        made.warm()
        yield made


def now():
    return datetime.now(UTC)


def reasons(world):
    """What `status` finds, by its code, in the words that the owner reads."""
    overview, findings = present.look(world.settings, now())
    told = status.as_data(overview, findings, world.settings)["reasons"]
    assert all(reason["message"] and reason["fix"] for reason in told)
    return {reason["name"]: SimpleNamespace(**reason) for reason in told}


def screen(world):
    overview, findings = present.look(world.settings, now())
    return status.as_text(overview, findings, world.settings, now())


def test_all_is_well(world):
    """After a post nothing is wrong; the screen names the last and the next post, limits, money, success and library."""
    world.x.limits = {"x-rate-limit-remaining": "42"}
    world.tick()
    assert reasons(world) == {}
    told = screen(world).splitlines()
    assert told[0] == "healthy"
    rows = dict(
        line.split(None, 2)[0:2] if line.startswith("library") else (line[:12].strip(), line[13:])
        for line in told[1:]
    )
    assert str(world.x.accepted[-1].id) in rows["last post"]
    assert "just now" in rows["last post"]
    assert "after 2026-11-22 18:00 UTC" in rows["next post"]
    assert rows["refusals"] == "none"
    assert "15 minutes: 42 of 100 left" in rows["rate limits"]
    assert rows["spend"].startswith("$0.030 in 24 hours of $100; $0.030 this month of $1000")
    assert rows["success"].startswith("24h: 100 % (2 of 2)")


def test_refused(world):
    """X refuses the money: 77, what to buy, and after three in a row the breaker is open until a time."""
    world.x.on_post(*[fake_x.no_credits()] * 3)
    for opened in (False, False, True):
        world.tick()
        reason = reasons(world)["blocked"]
        assert (reason.exit_code, "buy credits" in reason.fix) == (Exit.BLOCKED, True)
        assert ("3 in a row since" in screen(world)) is opened
        world.next_slot()
    assert health.exit_code(present.look(world.settings, now())[1]) is Exit.BLOCKED


def test_unknown(world):
    """An outcome that is not known is told at once, with the command that settles it."""
    world.x.always_get = fake_x.not_found()
    world.x.on_post(fake_x.close(accept=True))
    world.tick()
    reason = reasons(world)["unknown"]
    assert (reason.exit_code, f"reconcile {world.ours()[-1]['id']} --posted" in reason.fix) == (
        Exit.UNKNOWN,
        True,
    )


def test_nothing_runs(world):
    """When cron stops, only an outsider can tell: two wanted slots went by, later no post for hours."""
    world.tick()
    world.move(hours=2, minutes=7)  # the second of them began 14 minutes ago
    assert reasons(world) == {}
    world.move(minutes=2)
    assert set(reasons(world)) == {"not-running"}
    assert "crontab" in reasons(world)["not-running"].fix
    world.move(hours=5)
    assert set(reasons(world)) == {"not-running", "silence"}
    assert health.exit_code(present.look(world.settings, now())[1]) is Exit.TEMPORARY
    assert "24h: 25.0 % (2 of 8)" in screen(world)


def test_failures(world):
    """Three runs in a row without network: what failed, and what to check."""
    world.extra["X_API_BASE_URL"] = "http://127.0.0.1:9"
    for _ in range(3):
        assert reasons(world) == {}
        world.tick()
        world.next_slot()
    assert "check the network" in reasons(world)["failures"].fix


def test_budget(world):
    """A budget used up is told, with the setting to raise; the slots are left out, not missed."""
    world.tick()
    world.next_slot()
    world.extra["DAILY_BUDGET_USD"] = "0.04"
    world.tick()
    assert "DAILY_BUDGET_USD" in reasons(world)["budget"].fix
    world.next_slot()
    assert "(2 of 2, 1 left out by your settings)" in screen(world)


def test_library_and_keys(world, tmp_path):
    """Few fresh statements and missing keys are reasons as well; the gravest decides the exit code."""
    small_library(tmp_path, 49)
    world.tick()
    reason = reasons(world)["library"]
    assert (reason.exit_code, "SOURCES" in reason.fix) == (Exit.NO_CONTENT, True)
    assert (
        "48 of 49 statements fresh; 49 texts may be sent; a slot first stays empty on 2026-11-24, in 2 days"
        in screen(world)
    )
    world.extra["TWITTER_API_KEY"] = ""
    assert "credentials" not in reasons(world)  # the run had them: systemd may show them to the service alone
    world.move(hours=3)
    assert "TWITTER_API_KEY" in reasons(world)["credentials"].message
    assert health.exit_code(present.look(world.settings, now())[1]) is Exit.CONFIG


def test_last_backup(world):
    """The screen says when the last backup was made, and before the first what makes one."""
    assert "backup       none yet: the second line of crontab.example" in screen(world)
    maintain(world.settings, Clock(), "m")
    world.move(hours=5)
    assert re.search(r"^backup       2026-.* UTC \(5 hours ago\)$", screen(world), re.MULTILINE)
    facts, found = present.look(world.settings, now())
    assert status.as_data(facts, found, world.settings)["last_backup"].startswith("2026-")


def test_quiet_hours_are_no_silence(tmp_path):
    """A night that the owner wants quiet is no reason to worry; a morning without a post is."""
    with new_world(
        tmp_path, QUIET_HOURS="18:00-07:00", ALERT_NO_POST_HOURS="3", **small_library(tmp_path, 800)
    ) as world:
        world.warm()
        world.tick()
        for _ in range(16):
            assert "silence" not in reasons(world), now()
            world.extra["X_API_BASE_URL"] = "http://127.0.0.1:9"
            world.next_slot()
            world.tick()
        world.move(hours=1, minutes=30)
        assert "silence" in reasons(world)


def test_long_slots_are_no_silence(tmp_path):
    """With a slot of a day, a day without a post is as it should be."""
    with new_world(tmp_path, POST_INTERVAL_MINUTES="1440", **small_library(tmp_path, 800)) as world:
        world.move(hours=2)
        assert world.tick().outcome == "posted"
        world.move(hours=23)
        assert reasons(world) == {}


def test_before_the_first_run(tmp_path):
    """Without a database the screen says that nothing has run, and where to begin; no file is made."""
    with new_world(tmp_path) as world:
        facts, found = present.look(world.settings, now())
        assert (facts, [f.code for f in found]) == (None, ["not-running"])
        assert health.exit_code(found) is Exit.TEMPORARY
        assert "nothing has run" in status.as_text(facts, found, world.settings, now())
        assert status.as_data(facts, found, world.settings)["nothing_has_run"] is True
        assert not world.database.exists()


def test_for_programs(world):
    """The data say the same as the screen and are plain JSON."""
    world.x.on_post(fake_x.no_credits())
    world.tick()
    facts, found = present.look(world.settings, now())
    data = json.loads(json.dumps(status.as_data(facts, found, world.settings)))
    assert (data["healthy"], data["exit_code"], data["reasons"][0]["name"]) == (False, 77, "blocked")
    assert data["success"]["24h"] == {"share": 1.0, "posted": 1, "due": 1, "left_out": 0}
    assert data["last_post"]["tweet_id"] == str(world.x.accepted[-1].id)
    assert data["spend_usd"]["last_24h"] == pytest.approx(0.015)


@pytest.mark.parametrize(
    ("stock", "per_day", "cooldown", "days"),
    [
        ([(0, 1)] * 48, 24, 30, 2.0),
        ([(0, 99)] * 720, 24, 30, None),
        ([(0, 99)] * 719, 24, 30, 719 / 24),
        ([(0, 1)] * 24 + [(0.5, 1)] * 24, 24, 30, 2.0),
        ([(3.0, 5)], 24, 30, 0.0),
        ([(0, 10_000)], 24, 0, None),
        ([(0, 400)] * 2, 1, 1, None),
        ([(0, 3)] * 2, 1, 1, 6),
        ([(0, 3)] * 720, 24, 30, 90),
        ([(0, 12)] * 720, 24, 30, 360),
        ([(0, 13)] * 720, 24, 30, None),
        ([], 24, 30, 0.0),
        ([(0, 0)], 1, 1, 0.0),
    ],
)
def test_days_left(stock, per_day, cooldown, days):
    """The library lasts until a post finds no statement with a text left; None where that is more than a year away."""
    items = [Item("Git", wait, deque([0.0] * texts)) for wait, texts in stock]
    found = days_left(items, per_day, cooldown, 0)
    assert found == (None if days is None else pytest.approx(days))


def test_days_left_plays_the_choice():
    """Topics take turns, so that a small one is used up first; then the cool-down of the large one holds posts back."""
    items = [Item("small", 0, deque([0.0]))] + [Item("large", 0, deque([0.0] * 9)) for _ in range(3)]
    assert days_left(items, 1, 4, 0, topics=("large",)) == 4.0
    items = [Item("one", 0, deque([0.0] * 2))]
    assert days_left(items, 1, 1, 2) is None
    assert days_left([Item("one", 0, deque([0.0] * 2))], 1, 1, 3) == 2.0
    assert days_left([Item("one", 0, deque([0.0, 1.5]))], 1, 1, 0) == 1.0


def test_forecast():
    """The month so far, the slots to come, and the last week's pace of all else, not stretched for a young account."""
    at = datetime(2026, 11, 16, tzinfo=UTC)
    assert present.forecast(5.4, 5.4, 0.07, 30, at) == pytest.approx(5.4 + 5.4 + 0.01 * 15)
    assert present.forecast(0.72, 1.0, 0.02, 2, at) == pytest.approx(0.72 + 1.0 + 0.01 * 15)
    assert present.forecast(0.1, 0.0, 0.1, 0, at) == pytest.approx(0.1 + 0.1 * 15)


def test_words():
    """Times and shares as people say them; 100 % is said only of all."""
    assert status.percent(1.0) == "100 %"
    assert status.percent(0.9999) == "99.9 %"
    assert status.when_text(NOW - timedelta(hours=3, minutes=5), SETTINGS, NOW).endswith("(3 hours ago)")
    assert status.when_text(NOW - timedelta(minutes=1), SETTINGS, NOW).endswith("(1 minute ago)")
    assert status.when_text(NOW - timedelta(days=3), SETTINGS, NOW).endswith("(3 days ago)")
    assert status.when_text(NOW, SETTINGS, NOW).endswith("(just now)")
    assert status.when_text(NOW + timedelta(hours=1), SETTINGS, NOW) == "2026-11-22 15:07 UTC"


SETTINGS = config.load({})
HOLD = Hold(
    "blocked", "no-credits", NOW + timedelta(hours=6), Fix("buy credits"), 3, NOW - timedelta(hours=2)
)


@pytest.mark.parametrize(
    ("hold", "text"),
    [
        (None, "none"),
        (replace(HOLD, kind="wait"), "none"),
        (
            HOLD,
            "3 in a row since 2026-11-22 12:07 UTC, nothing is sent until 2026-11-22 20:07 UTC: no credits are left",
        ),
        (
            replace(HOLD, until=NOW),
            "3 in a row since 2026-11-22 12:07 UTC, one try is due: no credits are left",
        ),
        (
            replace(HOLD, count=1),
            "1 of 3 in a row: no credits are left; nothing is sent until 2026-11-22 20:07 UTC",
        ),
        (replace(HOLD, count=2, until=None), "2 of 3 in a row: no credits are left"),
    ],
)
def test_refusals(hold, text):
    """What is known of refusals has fields, and one line for people is made of them."""
    state = breaker_state(hold, NOW)
    assert health.refusals_text(state, SETTINGS) == text
    assert state.open is text.startswith("3")


def test_the_most_severe_comes_first():
    """Findings are ordered by exit code, whatever order the rules have; each says since when where that is known."""
    facts = Facts(
        breaker=breaker_state(HOLD, NOW),
        failures=3,
        outside=Outside(NOW - timedelta(hours=3), ("TWITTER_API_KEY",)),
    )
    findings = health.find(facts, SETTINGS, NOW)
    assert [f.code for f in findings] == ["credentials", "blocked", "failures", "not-running"]
    assert [f.since for f in findings] == [None, HOLD.since, None, NOW - timedelta(hours=3)]


def test_nothing_is_found_where_nobody_looked():
    """Facts that were not looked at are neither wrong nor over."""
    assert health.find(Facts(), SETTINGS, NOW) == ()
    assert health.looked_at(Facts()) == frozenset()


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        (Facts(breaker=breaker_state(None, NOW)), {"blocked"}),
        (Facts(unknown=()), {"unknown"}),
        (Facts(failures=0), {"failures"}),
        (Facts(model_failures=0), {"model"}),
        (Facts(watched_since=NOW), {"silence"}),
        (Facts(result=TickResult(Exit.OK, RunOutcome.POSTED, "")), {"budget", "database", "settings", "bug"}),
        (Facts(failure=TickResult(Exit.IO, RunOutcome.TROUBLE, "")), set()),
        (Facts(library=Stock(9, None)), {"library"}),
        (Facts(login=Login(None)), {"login"}),
        (Facts(outside=Outside(NOW, ())), {"credentials", "not-running"}),
        (Facts(maintenance=Maintenance(None, checked=True)), {"damage", "backup"}),
        (Facts(maintenance=Maintenance(StorageError("no room"), checked=False)), set()),
    ],
)
def test_what_was_looked_at(facts, codes):
    """Each fact decides about its own codes alone."""
    assert health.looked_at(facts) == codes


def test_how_a_recorded_run_ended():
    """A run that died or goes on has no result; an exit code or an outcome of another version is a bug's and an error's."""
    record = RunRecord("", NOW, NOW, 75, RunOutcome.NOT_SENT, "no network", {})
    assert health.result_of(None) is None
    assert health.result_of(replace(record, finished=None)) is None
    assert "network" in health.result_of(record).fix.render()
    strange = health.result_of(replace(record, exit_code=3, outcome=None))
    assert (strange.exit_code, strange.outcome) == (Exit.BUG, RunOutcome.TROUBLE)


def test_waiting_for_approval_is_a_state(world):
    """It is told once and then once a day, with exit code 0, and is no silence; an approval ends it."""
    world.warm()
    world.extra["REQUIRE_APPROVAL"] = "true"
    with open_now(world) as db:
        draft = db.add_draft(Draft("A draft that waits.", "model"), now())
    for _ in range(30):
        world.tick()
        world.next_slot()
    seen, findings = present.look(world.settings, now())
    assert [(f.code, f.message, f.exit_code) for f in findings] == [
        ("approval", "no text is approved; 1 draft waits for you", 0)
    ]
    assert screen(world).startswith("waits for you\n  approval: no text is approved")
    assert status.as_data(seen, findings, world.settings)["healthy"] is True
    with open_now(world) as db:
        db.approve(draft, now())
    assert "approval" not in reasons(world)


def test_a_deleted_tweet_is_called_so(world):
    """`undo` shows in `history`, in `status`, and on the page, with its time; the list has posts only."""
    world.warm()
    with open_now(world) as db:
        draft = db.add_draft(Draft("A draft that waits.", "model"), now())
        db.tweets.stamp_deleted(db.archive.last_tweet(), now())
    listed = history(world)
    (post,) = [row for row in listed.data["posts"] if row["deleted_at"]]
    assert post["content"] == world.x.texts()[-1]
    assert "deleted by you on 2026-11-22 20:07 UTC" in listed.text
    assert draft.id not in {row["id"] for row in listed.data["posts"]}
    assert draft.id in {row["id"] for row in history(world, everything=True).data["posts"]}
    assert re.search(r"^last post .*, deleted by you on 2026-11-22 20:07 UTC$", screen(world), re.MULTILINE)
    seen, findings = present.look(world.settings, now())
    assert status.as_data(seen, findings, world.settings)["last_post"]["deleted_at"].startswith(
        "2026-11-22T20:07"
    )


def history(world, *, everything=False):
    options = SimpleNamespace(n=10, all=everything)
    return history_command.COMMAND.run(Context(options, world.settings, Clock(), "c"))


def test_the_queue_on_the_screen(world):
    """How many texts wait and until when, how many drafts; what is set and which program this is."""
    world.warm()
    with open_now(world) as db:
        db.queue.add_own("The talk about parsers is on Tuesday.", now())
        db.queue.add_own("Bring a question about grammars.", now())
        db.add_draft(Draft("A draft that waits.", "model"), now())
    shown = screen(world)
    assert (
        "queue        2 texts wait, the last of them until 2026-11-22 21:00 UTC; 1 draft waits for you"
        in shown
    )
    assert "schedule     every hour (UTC)" in shown
    assert f"program      version {__version__}, model embedded writes openings" in shown

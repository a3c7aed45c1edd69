"""The edges of a run: what the process is made ready with, what is said where, and with which exit code it ends."""

import contextlib
import json
import os
import sys

import pytest

from src import content_generator, db_manager, twitter_manager
from src.commands import dry_run, table
from src.domain.errors import ConfigError, LockedError, StorageError, UsageError
from src.domain.fixes import Fix
from src.domain.runs import Exit, Metric, RunOutcome, TickResult
from src.domain.texts import Draft
from src.system import core_dumps, failpoints, log, log_rotation, terminal
from src.system.lock import writer_lock
from src.system.usage import peak_usage
from src.watch import alerts
from tests.support.logs import lines
from tests.support.world import START, MovingClock, new_world

POSTED = TickResult(Exit.OK, RunOutcome.POSTED, "posted 7", post_id=3, tweet_id=7)
BLOCKED = TickResult(Exit.BLOCKED, RunOutcome.BLOCKED, "X refused (x)", Fix("look"), 3, reason="r")
BARE = TickResult(Exit.TEMPORARY, RunOutcome.LATER, "later")


class Program:
    """The program in this process: its ends are replaced, so that each can be seen."""

    def __init__(self, world, monkeypatch, capsys):
        self.world, self.patch, self.capsys = world, monkeypatch.setattr, capsys
        self.patch(twitter_manager, "_fill_standard_streams", lambda: None)
        self.patch(core_dumps, "forbid", lambda: None)

    def run(self, *arguments, ends=POSTED, terminal=False):
        """Run `main`; return its exit code, what it wrote and what it said."""

        def ended(*_):
            if isinstance(ends, BaseException):
                raise ends
            return ends

        self.patch(twitter_manager, "run_tick", ended)
        self.patch(sys.stdout, "isatty", lambda: terminal, raising=False)
        code = twitter_manager.main(list(arguments))
        said = self.capsys.readouterr()
        return code, said.out, said.err

    def logged(self):
        return lines(self.world.folder / "logs" / log.ALL_FILE)


@pytest.fixture
def program(tmp_path, monkeypatch, capsys):
    before = os.umask(0o022)
    hook = sys.excepthook
    with new_world(tmp_path) as world:
        for name, value in world.env.items():
            monkeypatch.setenv(name, value)
        yield Program(world, monkeypatch, capsys)
    os.umask(before)
    sys.excepthook = hook
    failpoints.arm("")


# ---- what is said ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "ends", "terminal", "out", "err"),
    [
        ((), POSTED, True, "posted 7\n", ""),
        ((), POSTED, False, "", ""),
        (("--quiet",), POSTED, True, "", ""),
        ((), BLOCKED, True, "", "twitter_manager: X refused (x)\n  fix: look\n"),
        ((), BLOCKED, False, "", "twitter_manager: X refused (x)\n  fix: look\n"),
        ((), BARE, False, "", "twitter_manager: later\n"),
    ],
)
def test_what_a_run_says(program, arguments, ends, terminal, out, err):
    """Success is silent but on a terminal; a failure says one line, and the fix if there is one."""
    assert program.run(*arguments, ends=ends, terminal=terminal) == (int(ends.exit_code), out, err)


def test_without_a_standard_output(program):
    """Success is not said where there is nowhere to say it."""
    program.patch(sys, "stdout", None)
    program.patch(twitter_manager, "run_tick", lambda *_: POSTED)
    assert twitter_manager.main([]) == 0


@pytest.mark.parametrize(("ends", "level"), [(POSTED, "INFO"), (BLOCKED, "ERROR")])
def test_what_a_run_leaves(program, ends, level):
    """In the log the result with all that it has; with --json the same for programs, and nothing else is said."""
    code, out, err = program.run("--json", ends=ends, terminal=True)
    data = json.loads(out)
    assert (code, err, data["exit_code"], data["message"]) == (
        int(ends.exit_code),
        "",
        int(ends.exit_code),
        ends.message,
    )
    assert (data["fix"], data["tweet_id"]) == (
        ends.fix.render(),
        str(ends.tweet_id) if ends.tweet_id else None,
    )
    (line,) = (line for line in program.logged() if line["event"] == "tick")
    assert (line["level"], line["outcome"], line["reason"]) == (level, ends.outcome, ends.reason)
    assert (line["exit_code"], line["detail"], line["fix"], line["post_id"]) == (
        int(ends.exit_code),
        ends.message,
        ends.fix.render(),
        3,
    )


@pytest.mark.parametrize(
    ("error", "code", "level", "err"),
    [
        (ConfigError("no key", Fix("set it")), 78, "ERROR", "twitter_manager: no key\n  fix: set it\n"),
        (StorageError("no disk"), 74, "ERROR", "twitter_manager: no disk\n"),
        (UsageError("a typo", Fix("type it")), 2, "INFO", "twitter_manager: a typo\n  fix: type it\n"),
    ],
)
def test_what_an_error_says(program, error, code, level, err):
    """One line and the fix for a person, the same in the log and for a program; a typo is no failure."""
    error.data = {"found": 1}
    assert program.run(ends=error) == (code, "", err)
    (line,) = (line for line in program.logged() if line["event"] == "trouble")
    assert (line["level"], line["message_text"], line["exit_code"]) == (level, str(error), code)
    _, out, _ = program.run("--json", ends=error)
    expected = {"found": 1, "message": str(error), "fix": error.fix.render(), "exit_code": code}
    assert json.loads(out) == expected


def test_a_bug_and_an_interrupt(program):
    """A bug ends with 70 and its story in the log, an interrupt with 130; with --json both say so."""
    code, out, err = program.run("--json", ends=KeyError("row"))
    assert (code, json.loads(out)["exit_code"]) == (70, 70)
    assert err.startswith("twitter_manager: a bug: KeyError: 'row'\n  fix: see error.log")
    events = [line["event"] for line in program.logged()]
    assert ("bug" in events, "trouble" in events) == (True, False)
    assert program.run(ends=KeyboardInterrupt()) == (130, "", "")
    code, out, _ = program.run("--json", ends=KeyboardInterrupt())
    assert (code, json.loads(out)) == (130, {"message": "interrupted", "fix": "", "exit_code": 130})


# ---- what is made ready ------------------------------------------------------------------------------------


def test_the_process(program):
    """Private files, no core dumps, three open streams, a number of the run, and the end of the log."""
    done, given = [], {}
    program.patch(core_dumps, "forbid", lambda: done.append("core"))
    program.patch(twitter_manager, "_fill_standard_streams", lambda: done.append("streams"))
    program.patch(log, "finish", lambda: done.append("finish"))
    program.patch(terminal, "finish", lambda: done.append("streams closed"))
    program.patch(log, "begin", lambda verbosity, **_: done.append(verbosity))
    program.patch(twitter_manager, "carry_out", lambda *a: given.update(run_id=a[3], options=a[0]) or 5)
    program.patch(sys, "argv", ["program", "-vv", "--json"])
    assert twitter_manager.main() == 5
    assert os.umask(0o022) == 0o077
    assert (done, len(given["run_id"]), given["options"].json) == (
        ["core", "streams", 2, "finish", "streams closed"],
        8,
        True,
    )
    for arguments, verbosity in (((), 0), (("-q",), -1)):
        done.clear()
        twitter_manager.main(arguments)
        assert verbosity in done


def test_the_start(program, monkeypatch):
    """The plan of failures is armed, crashes reach the log, and what the log cannot do is told."""
    monkeypatch.setenv("FAILPOINT", "send.before:raise")
    program.patch(log_rotation, "rotate", lambda *_: "no room")
    real = log.set_up
    program.patch(log, "set_up", lambda *a: real(*a) or "cannot write")
    _, _, err = program.run()
    assert failpoints._plan == {"send.before": "raise"}
    assert sys.excepthook.__qualname__.startswith("install_excepthook")
    assert err == "cannot write\n"
    assert [line["event"] for line in program.logged()] == ["log.rotation_failed", "tick"]
    program.patch(log, "set_up", real)
    program.patch(log_rotation, "rotate", lambda *_: "")
    assert program.run() == (0, "", "")
    assert [line["event"] for line in program.logged()] == ["log.rotation_failed", "tick", "tick"]


def test_settings_that_are_wrong(program, monkeypatch):
    """They are told in the log too, in the folder that they name, without a secret."""
    monkeypatch.setenv("POST_INTERVAL_MINUTES", program.world.x.credentials.api_secret)
    code, _, err = program.run()
    assert (code, "POST_INTERVAL_MINUTES" in err) == (78, True)
    (line,) = program.logged()
    assert (line["event"], line["exit_code"]) == ("trouble", 78)
    assert program.world.x.credentials.api_secret not in err + json.dumps(line)


def test_a_file_of_tokens_that_is_broken(program):
    """It stops every run but that of `login`, which replaces it."""
    file = program.world.folder / "data" / "credentials.json"
    file.parent.mkdir(exist_ok=True)
    file.touch(mode=0o600)
    file.write_text("{")
    assert program.run()[0] == 78
    program.patch(twitter_manager, "carry_out", lambda *_: 0)
    assert program.run("status")[0] == 78
    assert program.run("login")[0] == 0


def test_what_is_carried_out(program):
    """A command and a dry run have their own ends."""
    program.patch(table, "run", lambda *_: 7)
    program.patch(dry_run, "show_preview", lambda *_: 5)
    program.patch(twitter_manager, "run_preview", lambda *_: (POSTED, None, {}, None))
    assert [program.run(*words)[0] for words in (("status",), ("--dry-run",), ())] == [7, 5, 0]


def test_closed_streams():
    """Streams that are closed are open afterwards, for children too, and nothing else is."""
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            os.closerange(0, 64)
            twitter_manager._fill_standard_streams()
            inherited = all(os.get_inheritable(number) for number in (0, 1, 2))
            with contextlib.suppress(OSError):
                os.fstat(3)
                os._exit(3)
            os._exit(0 if inherited else 4)
        os._exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


# ---- one run -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(LockedError("held"), RunOutcome.LOCKED), (StorageError("torn"), RunOutcome.TROUBLE)],
)
def test_who_is_told_of_an_error(world, monkeypatch, error, outcome):
    """An error before the run could look is told with what it is."""
    told = []
    monkeypatch.setattr(twitter_manager, "_locked_tick", lambda *_: (_ for _ in ()).throw(error))
    monkeypatch.setattr(alerts, "watch", lambda facts, *_: told.append(facts.failure))
    world.extra["ALERT_URLS"] = "json://127.0.0.1/"
    with pytest.raises(type(error)):
        world.tick()
    assert [(t.exit_code, t.outcome, t.message) for t in told] == [(error.exit_code, outcome, str(error))]


def test_another_run_is_in_progress(world):
    """A run that finds another one ends well and does nothing."""
    world.database.parent.mkdir()
    with writer_lock(world.database):
        result = world.tick()
    assert (result.exit_code, result.outcome, world.x.requests) == (Exit.OK, RunOutcome.BUSY, [])


@pytest.mark.parametrize("name", ["_require_credentials", "require_closed_folders", "claim_account"])
def test_nothing_is_opened_before(world, monkeypatch, name):
    """Without keys, in a folder that is open to others, or with another profile's account nothing is done."""

    def refuse(_):
        raise ConfigError(name)

    monkeypatch.setattr(twitter_manager, name, refuse)
    with pytest.raises(ConfigError, match=name):
        world.tick()
    assert not world.database.exists()


def test_without_keys(world):
    """A run without keys names what is missing."""
    world.extra["TWITTER_API_KEY"] = ""
    with pytest.raises(ConfigError, match="TWITTER_API_KEY"):
        world.tick()
    assert world.x.requests == []


def test_what_a_run_records(world, monkeypatch):
    """How long the database took to open, to a tenth of a millisecond, and the schedule that holds."""
    times = iter([5.0, 5.12346, *[6.0] * 1000])
    monkeypatch.setattr(MovingClock, "monotonic", lambda _: next(times))
    world.tick()
    ((metrics,),) = world.rows("SELECT metrics FROM runs")
    assert json.loads(metrics)[Metric.OPEN_SECONDS] == 0.1235
    with contextlib.closing(db_manager.open_for_reading(world.database)) as db:
        assert [schedule for _, schedule in db.notes._eras()] == [world.settings.schedule]


def test_what_a_run_measures(world):
    """Its phases, its time and memory; `due` ends where the text begins."""
    world.warm()
    world.next_slot()
    assert world.tick().outcome == "posted"
    *_, (metrics,) = world.rows("SELECT metrics FROM runs ORDER BY rowid")
    measured = json.loads(metrics)
    assert {"settle_seconds", "due_seconds", "send_seconds", Metric.SECONDS, *peak_usage()} <= measured.keys()


@pytest.mark.parametrize(
    ("extra", "pings"),
    [({}, [("/start", ""), ("", "posted")]), ({"TWITTER_API_KEY": ""}, [("/fail", "TWITTER_API_KEY")])],
)
def test_the_dead_mans_switch(world, monkeypatch, extra, pings):
    """It hears that a run begins, and how it ended, with its message."""
    world.extra |= extra
    heard = []
    monkeypatch.setattr(twitter_manager, "ping", lambda _, *given: heard.append((*given, "")[:2]))
    with contextlib.suppress(ConfigError):
        world.tick()
    assert [path for path, _ in heard] == [path for path, _ in pings]
    assert all(word in message for (_, message), (_, word) in zip(heard, pings, strict=True))


def test_a_run_that_cannot_post_pings_that_it_failed(world, monkeypatch):
    """An exit code that is no success is a failure to the dead-man's switch."""
    heard = []
    monkeypatch.setattr(twitter_manager, "ping", lambda _, path="", *rest: heard.append(path))
    world.texts.queue.append(None)
    assert world.tick().exit_code is Exit.NO_CONTENT
    assert heard == ["/start", "/fail"]


def test_many_texts_are_written_by_the_generator(world, monkeypatch):
    """A run that writes ahead hands everything on, and what comes back."""
    given = []
    monkeypatch.setattr(content_generator, "compose_many", lambda *a, **k: given.append((a, k)) or ["text"])
    assert twitter_manager.compose_many(world.settings, "history", START, 4, 30.0) == ["text"]
    assert given == [((world.settings, "history", START, 4), {"seconds": 30.0})]


def test_in_which_order(world, monkeypatch):
    """What is open is settled and audited, and other keys end a hold, before a post is due."""
    world.warm()
    order = []
    for name in ("reconcile", "audit"):
        monkeypatch.setattr(twitter_manager, name, lambda run, name=name: order.append(name))
    monkeypatch.setattr(
        twitter_manager.ending, "forget_refusals_of_other_keys", lambda run: order.append("keys")
    )
    wait = twitter_manager.ending.wait
    monkeypatch.setattr(twitter_manager.ending, "wait", lambda run: order.append("due") or wait(run))
    assert world.tick().outcome == "posted"
    assert order == ["reconcile", "audit", "keys", "due"]


def test_a_run_that_died(world):
    """What it left in the middle of a send is unknown to the next run, before anything else."""
    world.warm()
    assert world.forked("send.before:kill") == -9
    assert world.statuses()[-1] == "sending"
    world.move(minutes=1)
    assert world.tick().outcome == "nothing-due:slot-used"
    assert world.statuses()[-1] == "unknown"


# ---- a preview ---------------------------------------------------------------------------------------------


def preview(world):
    return twitter_manager.run_preview(world.settings, MovingClock(world.traveller), "r", world.texts)


def test_a_preview_of_a_new_account(world):
    """It writes a text and says that a real run would post it; nothing is on the disk, nothing is asked of X."""
    result, post, metrics, wait = preview(world)
    assert (result.outcome, post.content, wait) == ("posted", post.content, None)
    assert (post.id, metrics["attempts"]) == (result.post_id, 1)
    assert (world.x.requests, world.database.exists()) == ([], False)


def test_a_preview_in_a_slot_that_is_used(world):
    """It writes one all the same, and says why a real run would not post it now."""
    world.tick()
    before = world.database.read_bytes()
    result, post, _, wait = preview(world)
    assert (result.outcome, wait.outcome) == ("posted", "nothing-due:slot-used")
    assert post.id > world.ours()[-1]["id"]
    assert world.database.read_bytes() == before
    world.extra["REQUIRE_APPROVAL"] = "true"
    assert preview(world)[3].outcome == "nothing-due:slot-used"


def test_a_preview_that_waits_for_approval(world):
    """A text that nobody has approved waits, one without the setting does not."""
    world.extra["REQUIRE_APPROVAL"] = "true"
    result, post, _, wait = preview(world)
    assert (result.outcome, post.approved_at, wait.outcome) == ("posted", None, "waiting-for-approval")
    with contextlib.closing(db_manager.open_database(world.database, START)) as db:
        assert db.approve(db.add_draft(Draft("A draft.", "wording", "s-0", "Git"), START), START)
    result, post, _, wait = preview(world)
    assert (result.outcome, post.content, wait) == ("posted", "A draft.", None)

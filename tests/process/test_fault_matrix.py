"""The fault matrix: one test a row, each with the accepted posts, the row's state and the exit code, and what heals it."""

import contextlib
import os
import resource
import socket
import sqlite3
import ssl
import stat
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import pytest

from src import config, content_generator, db_manager
from src.domain.errors import StorageError
from src.model import choose, client
from src.model.choose import Model
from src.store import connection
from src.store.migrate import MIGRATIONS
from src.system import failpoints, log
from src.watch import slot_history
from src.watch.report import measures
from tests import fake_x
from tests.support.logins import give_login, kept
from tests.support.world import World, new_world

NAMES = {
    "claim": "tick.composed",
    "claimed": "claim.committed",
    "intent": "intent.committed",
    "accepted": "send.after",
    "settling": "settle.before_commit",
    "settled": "settle.committed",
}


@pytest.fixture
def world(tmp_path):
    """An account with a past, so that a read of its timeline can prove absence."""
    with new_world(tmp_path) as made:
        made.warm()
        made.made = len(made.x.texts())
        yield made


def accepted(world):
    """How many posts X took since the test began."""
    return len(world.x.texts()) - world.made


def last(world):
    return world.ours()[-1]


def heal(world):
    """Ticks later in the slot, in the next two slots, and after a day: the promise holds after each."""
    codes = []
    for minutes in (1, 20, 39, 60, 25 * 60):
        world.move(minutes=minutes)
        codes.append(world.forked())
        world.check_promise()
    assert "sending" not in world.statuses()
    return codes


class Hook(dict):
    """A failpoint plan that calls a function at the n-th time a name is reached."""

    def __init__(self, name, act, nth=1):
        super().__init__()
        self.name, self.act, self.left = name, act, nth

    def clear(self):
        pass

    def get(self, name, default=""):
        if name == self.name:
            self.left -= 1
            if self.left == 0:
                self.act()
        return default


def at(name, act, nth=1):
    """For the fork: call `act` when a failpoint is reached the n-th time."""

    def set_up():
        failpoints._plan = Hook(name, act, nth)

    return set_up


def die():
    os.kill(os.getpid(), 9)


def no_more_disk():
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


# ---- 1-7: kill -9 ---------------------------------------------------------------------------------------------


def test_row_01_killed_before_the_claim(world):
    """Killed before the claim nothing is sent, and the same slot gets its post from the next run."""
    assert world.forked("tick.composed:kill") == -9
    assert accepted(world) == 0
    world.move(minutes=1)
    assert world.forked() == 0
    assert accepted(world) == 1
    assert last(world)["status"] == "posted"
    heal(world)


def test_row_02_killed_after_the_claim(world):
    """Killed after the claim, the frozen text goes out in the same slot, once, without a new one being written."""
    assert world.forked("claim.committed:kill") == -9
    assert (accepted(world), last(world)["status"]) == (0, "pending")
    frozen = last(world)["content"]
    world.move(minutes=1)
    assert world.forked() == 0
    assert world.x.texts()[-1] == frozen
    assert (accepted(world), last(world)["status"]) == (1, "posted")
    heal(world)


@pytest.mark.parametrize("name", ["intent.committed", "send.before"])
def test_row_03_killed_after_the_intent(world, name):
    """Killed after the intent, before a byte left: the slot is lost, the row ends as failed, nothing is sent twice."""
    assert world.forked(f"{name}:kill") == -9
    assert (accepted(world), last(world)["status"]) == (0, "sending")
    world.move(minutes=1)
    assert world.forked() == 0
    assert (accepted(world), last(world)["status"]) == (0, "unknown")
    for status in ("unknown", "failed"):
        world.move(minutes=15.5)
        assert world.forked() == 0
        assert (accepted(world), last(world)["status"]) == (0, status)
    world.next_slot()
    assert world.forked() == 0
    assert accepted(world) == 1
    heal(world)


def test_row_04_killed_while_posting(world):
    """Killed while X has the request in its hands: what X made of it is found."""
    world.x.on_post(fake_x.hang(accept=True))
    pid = world.spawn(READ_TIMEOUT_SECONDS="60")
    until = time.monotonic() + 50
    while accepted(world) == 0 and time.monotonic() < until:
        time.sleep(0.005)
    os.kill(pid, 9)
    assert world.join(pid) == -9
    assert (accepted(world), last(world)["status"]) == (1, "sending")
    world.move(minutes=1)
    assert world.forked() == 0
    assert (accepted(world), last(world)["status"]) == (1, "posted")
    heal(world)


@pytest.mark.parametrize(("row", "name"), [(5, "send.after"), (6, "settle.before_commit")])
def test_row_05_06_killed_after_the_answer(world, row, name):
    """Killed between X's answer and the commit of it: the next run finds the tweet."""
    assert world.forked(f"{name}:kill") == -9
    assert (accepted(world), last(world)["status"]) == (1, "sending")
    world.move(minutes=1)
    assert world.forked() == 0
    assert (accepted(world), last(world)["status"]) == (1, "posted")
    assert last(world)["tweet_id"] == world.x.accepted[-1].id
    heal(world)


def test_row_07_killed_after_the_commit(world):
    """Killed after the answer was committed there is nothing left to find out, and nothing is sent."""
    assert world.forked("settle.committed:kill") == -9
    assert (accepted(world), last(world)["status"]) == (1, "posted")
    reads = world.x.reads_seen()
    world.move(minutes=1)
    assert world.forked() == 0
    assert (accepted(world), world.x.reads_seen()) == (1, reads)
    heal(world)


# ---- 8-19: answers that cannot be trusted --------------------------------------------------------------------


LOST = {
    "08_read_timeout": fake_x.hang(accept=True),
    "09_reset": fake_x.reset(accept=True),
    "09_closed": fake_x.close(accept=True),
    "10_truncated_201": fake_x.truncated(),
    "10_half_a_status_line": fake_x.half_status(accept=True),
    "11_html_200": fake_x.html_200(accept=True),
    "12_empty_201": fake_x.empty_201(accept=True),
    "12_201_without_id": fake_x.no_id_201(accept=True),
    "12_201_bad_id": fake_x.bad_id_201(accept=True),
    "12_201_garbage": fake_x.garbage_201(accept=True),
    "12_10_MB": fake_x.big(accept=True),
}


def impatient(name):
    """Settings for a server that hangs: do not wait long. Elsewhere a busy machine must not look like one."""
    return {"READ_TIMEOUT_SECONDS": "1.5"} if "timeout" in name else {}


@pytest.mark.parametrize("name", LOST)
def test_row_08_to_12_accepted_but_the_answer_is_lost(world, name):
    """X took the post and its answer is lost or rubbish: one post, found on the timeline in the same run, exit 0."""
    world.x.on_post(LOST[name])
    assert world.forked(**impatient(name)) == 0
    assert (accepted(world), last(world)["status"]) == (1, "posted")
    assert world.x.posts_seen() == world.made + 1
    heal(world)


@pytest.mark.parametrize("name", ["08_read_timeout", "09_reset", "11_html_200", "12_empty_201"])
def test_row_08_to_12_not_accepted(world, name):
    """The same answers without a post behind them: exit 76, no second send, `failed` after two absences, 15 minutes later and more."""
    world.x.on_post(fake_x.replace(LOST[name], accept=False))
    assert world.forked(**impatient(name)) == 76
    assert (accepted(world), last(world)["status"]) == (0, "unknown")
    for status in ("unknown", "failed"):
        world.move(minutes=15.5)
        assert world.forked() == 0
        assert (accepted(world), last(world)["status"]) == (0, status)
    assert world.x.posts_seen() == world.made + 1
    heal(world)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_row_13_to_16_server_error_after_accepting(world, status):
    """A 5xx for a post that X made all the same: one post, found, exit 0."""
    world.x.on_post(fake_x.server_error(status, accept=True))
    assert world.forked() == 0
    assert (accepted(world), last(world)["status"]) == (1, "posted")
    heal(world)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_row_13_to_16_server_error_without_accepting(world, status):
    """A 5xx without a post: exit 76, nothing sent again in the slot, `failed` once absence is proven."""
    world.x.on_post(fake_x.server_error(status, accept=False))
    assert world.forked() == 76
    assert (accepted(world), last(world)["status"]) == (0, "unknown")
    for status in ("unknown", "failed"):
        world.move(minutes=15.5)
        assert world.forked() == 0
        assert (accepted(world), last(world)["status"]) == (0, status)
    assert world.x.posts_seen() == world.made + 1
    heal(world)


def test_row_13_to_16_accepted_late(world):
    """X says 503 and makes the post forty minutes later, after it was proven absent: it is recorded all the same."""
    world.x.on_post(fake_x.server_error(503, accept=False, late=40 * 60))
    assert world.forked() == 76
    for status in ("unknown", "failed"):
        world.move(minutes=16)
        assert world.forked() == 0
        assert last(world)["status"] == status
    world.move(minutes=25 * 60)
    assert world.forked() == 0
    world.check_promise()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_row_17_redirect(world, status):
    """A redirect is never followed: one POST, and what X accepted is found."""
    world.x.on_post(fake_x.redirect(status, accept=True))
    assert world.forked() == 0
    assert (accepted(world), world.x.posts_seen(), last(world)["status"]) == (1, world.made + 1, "posted")
    world.next_slot()
    world.x.on_post(fake_x.redirect(status))
    assert world.forked() == 76
    assert (accepted(world), world.x.posts_seen()) == (1, world.made + 2)
    heal(world)


def test_row_18_duplicate_although_accepted(world):
    """A duplicate refusal for a post that is there: it is found, nothing else is sent, exit 0."""
    world.x.on_post(fake_x.duplicate(accept=True))
    assert world.forked() == 0
    assert (accepted(world), last(world)["status"]) == (1, "posted")
    heal(world)


def test_row_18_duplicate_not_accepted(world):
    """A duplicate refusal that no look at the timeline explains: the slot is lost, the next one gets another text."""
    world.x.on_post(fake_x.duplicate())
    assert world.forked() == 75
    assert (accepted(world), last(world)["status"]) == (0, "unknown")
    world.move(minutes=20)
    assert world.forked() == 0
    assert (accepted(world), world.x.posts_seen()) == (0, world.made + 1)
    refused = last(world)["id"]
    for status in ("unknown", "failed"):
        world.next_slot()
        assert world.forked() == 0
        assert last(world)["status"] == "posted"
        assert next(row["status"] for row in world.ours() if row["id"] == refused) == status
    heal(world)


def test_row_18_duplicate_and_the_timeline_is_stale(world):
    """A duplicate refusal without a healthy look is no proof: nothing else is sent."""
    world.x.on_post(fake_x.duplicate(accept=True))
    world.x.always_get = fake_x.stale()
    assert world.forked() == 75
    assert (accepted(world), last(world)["status"]) == (1, "unknown")
    world.x.always_get = None
    heal(world)


@pytest.mark.parametrize(
    ("reset", "minutes"),
    [("in ten minutes", 10), ("soon", 15), (None, 15), (253402300799, 24 * 60), (-1, 15), (0, 1)],
)
def test_row_19_rate_limited(world, reset, minutes):
    """A 429 waits until the window ends (15 minutes where X does not say, 24 hours at most); its text goes first then."""
    moment = world.x.now() + 600 if reset == "in ten minutes" else reset
    world.x.on_post(fake_x.rate_limited(int(moment) if isinstance(moment, float) else moment))
    assert world.forked() == 75
    assert (accepted(world), last(world)["status"]) == (0, "unknown")
    limited = last(world)["content"]
    world.move(minutes=minutes, seconds=-30)
    assert world.forked() == 0
    assert accepted(world) == 0
    world.move(minutes=1)
    for _ in range(4):
        world.forked()
        world.move(minutes=31)
    world.forked()
    assert world.x.texts().count(limited) == 1
    assert world.x.posts_seen() == world.made + 1 + accepted(world)
    heal(world)


def test_row_19_the_day_window(world):
    """When a window of 24 hours is exhausted too, the later reset counts."""
    now = int(world.x.now())
    world.x.on_post(
        fake_x.rate_limited(
            now + 60,
            ("x-user-limit-24hour-limit", "50"),
            ("x-user-limit-24hour-remaining", "0"),
            ("x-user-limit-24hour-reset", str(now + 7200)),
        )
    )
    assert world.forked() == 75
    limited = last(world)["content"]
    world.move(minutes=30)
    assert world.forked() == 0
    world.move(minutes=60)
    assert world.forked() == 0
    assert accepted(world) == 0
    world.move(minutes=31)
    assert world.forked() == 0
    assert world.x.texts()[world.made :] == [limited]


# ---- 20-22: the account, the app, the money --------------------------------------------------------------------


BLOCKED = {
    "20_revoked": fake_x.unauthorized(),
    "21_suspended": fake_x.suspended(),
    "21_read_only": fake_x.read_only(),
    "22_no_credits": fake_x.no_credits(),
    "22_not_found": fake_x.not_found(),
}


@pytest.mark.parametrize("name", BLOCKED)
def test_row_20_to_22_refused(world, name):
    """The account is refused: three POSTs at most, then neither a POST nor the model for six slots; one probe; healed."""
    world.x.always_post = BLOCKED[name]
    codes = []
    for _ in range(4):
        codes.append(world.tick().exit_code)
        world.next_slot()
    assert codes == [77] * 4
    # The text of the first slot is proven absent by then, and is the first to go in the third.
    assert (accepted(world), world.x.posts_seen() - world.made, world.texts.asked) == (0, 3, 2)
    assert world.rows("SELECT value FROM meta WHERE key = 'hold'")
    for _ in range(4):
        assert world.tick().exit_code == 77
        world.next_slot()
    assert (world.x.posts_seen() - world.made, world.texts.asked) == (3, 2)
    assert world.tick().exit_code == 77
    assert world.x.posts_seen() - world.made == 4
    world.x.always_post = None
    world.move(hours=6)
    assert world.tick().outcome == "posted"
    assert not world.rows("SELECT value FROM meta WHERE key = 'hold'")
    heal(world)


def test_row_20_one_outage_of_the_login(world):
    """A 401 holds its slot until no tweet is proven, and no longer: X has had outages that answer so."""
    world.x.on_post(fake_x.unauthorized())
    assert world.forked() == 77
    refused = last(world)["content"]
    for minutes in (30, 16):
        world.move(minutes=minutes)
        assert world.forked() == 77
    world.move(minutes=1)
    assert world.forked() == 0
    assert (world.x.texts()[world.made :], last(world)["status"]) == ([refused], "posted")
    heal(world)


# ---- 23-25: X cannot be reached ---------------------------------------------------------------------------------


def no_name_server():
    def fail(*_, **__):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    socket.getaddrinfo = fail


def test_row_23_no_name_server(world):
    """The name of X cannot be resolved: three tries, exit 75, the text waits; healed within the slot it goes out."""
    assert world.forked(first=no_name_server) == 75
    assert (accepted(world), last(world)["status"]) == (0, "pending")
    assert len(world.rows("SELECT * FROM attempts WHERE outcome = 'not_sent'")) == 3
    world.move(minutes=15)
    assert world.forked() == 0
    assert (accepted(world), last(world)["status"]) == (1, "posted")
    heal(world)


def test_row_24_connection_refused(world):
    """Nobody listens: exit 75, the text waits; healed within the slot it goes out."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{s.getsockname()[1]}"
        assert world.forked(X_API_BASE_URL=nobody) == 75
    assert (accepted(world), last(world)["status"]) == (0, "pending")
    world.move(minutes=15)
    assert world.forked() == 0
    assert (accepted(world), last(world)["status"]) == (1, "posted")
    heal(world)


@pytest.mark.needs("openssl")
def test_row_25_bad_certificate(world, tmp_path):
    """A certificate that nobody vouches for: the request never leaves, exit 75; healed within the slot it goes out."""
    key, certificate = tmp_path / "k.pem", tmp_path / "c.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            key,
            "-out",
            certificate,
            "-days",
            "9999",
            "-subj",
            "/CN=127.0.0.1",
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    got = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with (
                        contextlib.suppress(OSError),
                        context.wrap_socket(connection, server_side=True) as tls,
                    ):
                        got.append(tls.recv(100))

        threading.Thread(target=serve, daemon=True).start()
        assert world.forked(X_API_BASE_URL=f"https://127.0.0.1:{listener.getsockname()[1]}") == 75
    assert not any(got)
    assert (accepted(world), last(world)["status"]) == (0, "pending")
    world.move(minutes=15)
    assert world.forked() == 0
    assert accepted(world) == 1
    heal(world)


# ---- 26-27: the timeline ----------------------------------------------------------------------------------------


def test_row_26_the_timeline_is_gone_for_eight_hours(world):
    """The timeline answers 404 for eight hours: the lost post stays unknown, later slots go on, then it is found."""
    world.x.on_post(fake_x.close(accept=True))
    world.x.always_get = fake_x.not_found()
    assert world.forked() == 76
    lost = last(world)["id"]
    for _ in range(8):
        world.next_slot()
        assert world.forked() == 0
        assert world.rows("SELECT status FROM posts WHERE id = ?", lost)[0]["status"] == "unknown"
    assert accepted(world) == 9
    world.x.always_get = None
    world.next_slot()
    assert world.forked() == 0
    assert world.rows("SELECT status FROM posts WHERE id = ?", lost)[0]["status"] == "posted"
    heal(world)


@pytest.mark.parametrize("view", [fake_x.stale(), fake_x.empty(), fake_x.malformed(), fake_x.errors_200()])
@pytest.mark.parametrize("made", [True, False])
def test_row_27_the_timeline_is_stale(world, view, made):
    """A timeline without a tweet we know proves nothing: the row stays unknown, whether X made the post or not."""
    world.x.on_post(fake_x.close(accept=made))
    world.x.always_get = view
    assert world.forked() == 76
    for _ in range(2):
        world.move(minutes=20)
        assert world.forked() == 0
        assert (accepted(world), last(world)["status"]) == (int(made), "unknown")
    world.x.always_get = None
    heal(world)
    assert world.ours()[1]["status"] == ("posted" if made else "failed")


def test_row_27_given_up(world):
    """After 48 hours without a healthy look a person has to decide: `unconfirmed`, and it still counts as posted."""
    world.x.on_post(fake_x.close(accept=True))
    world.x.always_get = fake_x.stale()
    assert world.forked() == 76
    world.move(hours=49)
    assert world.forked() == 0
    assert world.ours()[1]["status"] == "unconfirmed"
    world.x.always_get = None
    assert (
        world.cli(
            "reconcile", str(world.ours()[1]["id"]), "--posted", str(world.x.accepted[-2].id)
        ).returncode
        == 0
    )
    world.check_promise()


# ---- 28-33: overlap and time ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 50])
def test_row_28_29_overlapping_runs(world, count):
    """Two or fifty runs at once: one post, and every run ends with 0."""
    pids = [world.spawn("tick.recovered:sleep=0.1,send.before:sleep=0.1") for _ in range(count)]
    assert {world.join(pid) for pid in pids} == {0}
    assert (accepted(world), last(world)["status"]) == (1, "posted")
    heal(world)


def test_row_30_the_clock_goes_back_a_day(world):
    """A clock a day behind the last post sends nothing and says so (75); set right, the slot gets its post."""
    world.jump(days=-1)
    assert world.forked() == 75
    world.move(minutes=5)
    assert world.forked() == 75
    assert (accepted(world), world.x.posts_seen()) == (0, world.made)
    world.jump(days=1)
    assert world.forked() == 0
    assert accepted(world) == 1
    heal(world)


@pytest.mark.parametrize("runs", [1, 5])
def test_row_31_the_clock_goes_forward_a_month_and_back(world, runs):
    """A clock a month ahead is refused by X (77); set right, the bot is not locked out, however often it was refused."""
    world.jump(days=30)
    for _ in range(runs):
        assert world.forked() == 77
        world.move(minutes=1)
    assert accepted(world) == 0
    world.jump(days=-30)
    assert world.forked() == 0
    assert (accepted(world), last(world)["status"]) == (1, "posted")
    heal(world)


def test_row_31_an_unknown_outcome_under_a_wrong_clock(world):
    """A post that was lost while the clock was a month ahead does not silence the bot for a month."""
    world.x.on_post(fake_x.close(accept=False))
    world.jump(days=30)
    world.x.now = lambda: time.time()  # this once X does not mind the time
    world.forked()
    world.x.now = lambda: time.time() - world.skew
    world.jump(days=-30)
    for _ in range(3):
        world.next_slot()
        world.forked()
    assert accepted(world) == 3
    heal(world)


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Berlin", datetime(2027, 10, 30, 22, 7, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2027, 3, 27, 22, 7, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2027, 10, 2, 13, 7, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2027, 4, 3, 13, 7, tzinfo=UTC)),
    ],
)
def test_row_32_daylight_saving(world, monkeypatch, zone, start):
    """Over both changes of the clock, in two zones: one post for every UTC hour."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        world.traveller.move_to(start)
        for hour in range(1, 7):
            assert world.forked() == 0
            assert accepted(world) == hour
            world.move(minutes=30)
            assert world.forked() == 0
            assert accepted(world) == hour
            world.move(minutes=30)
        world.check_promise()
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_row_33_asleep_for_a_day(world):
    """After 25 hours of sleep, three runs within a minute post once: missed slots are not made up, and the report names all 24."""
    assert world.forked() == 0
    world.move(hours=25)
    for _ in range(3):
        assert world.forked() == 0
        world.move(seconds=20)
    assert accepted(world) == 2
    gap = measures.read(world.settings, datetime.now(UTC), days=3).gaps[0]
    assert (gap.slots, gap.cause) == (24, slot_history.NO_RUN)
    heal(world)


# ---- 34-35: disk and database -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "made", "status"),
    [("tick.composed", 0, None), ("claim.committed", 0, "pending"), ("send.after", 1, "sending")],
)
def test_row_34_no_more_disk(world, name, made, status):
    """No write succeeds any more: before the intent nothing is sent, afterwards the next run finds the post; exit 74."""
    assert world.forked(first=at(name, no_more_disk)) == 74
    assert accepted(world) == made
    if status:
        assert last(world)["status"] == status
    world.move(minutes=1)
    assert world.forked() == 0
    assert (accepted(world), last(world)["status"]) == (1, "posted")
    heal(world)


def test_row_35_locked(world, monkeypatch):
    """Another program holds the database: exit 75 with words, nothing is sent; let go, the slot gets its post."""
    monkeypatch.setitem(connection.PRAGMAS, "busy_timeout", 100)
    with contextlib.closing(sqlite3.connect(world.database)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError) as caught:
            world.tick()
        assert "another program" in caught.value.fix.render()
        assert world.forked() == 75
        other.rollback()
    assert accepted(world) == 0
    assert world.forked() == 0
    assert accepted(world) == 1
    heal(world)


def test_row_35_locked_while_posting(world, monkeypatch):
    """The database is locked just when X's answer should be recorded: exit 75, and the next run finds the post."""
    monkeypatch.setitem(connection.PRAGMAS, "busy_timeout", 100)
    held = []

    def lock():
        held.append(sqlite3.connect(world.database, isolation_level=None))
        held[0].execute("BEGIN EXCLUSIVE")

    assert world.forked(first=at("send.after", lock)) == 75
    assert (accepted(world), last(world)["status"]) == (1, "sending")
    world.move(minutes=1)
    assert world.forked() == 0
    assert (accepted(world), last(world)["status"]) == (1, "posted")
    heal(world)


def damage(path):
    raw = bytearray(path.read_bytes())
    raw[100:] = os.urandom(len(raw) - 100)
    path.write_bytes(raw)


@pytest.mark.parametrize(
    "harm",
    [
        damage,
        lambda p: p.write_bytes(b"not a database at all" * 99),
        lambda p: os.truncate(p, 0),
        lambda p: os.truncate(p, p.stat().st_size // 2),
    ],
    ids=["noise", "other", "empty", "half"],
)
def test_row_35_damaged(world, harm):
    """A damaged or emptied database is set aside (0600), exit 74; its successor knows the account before it posts."""
    assert world.forked() == 0
    harm(world.database)
    world.database.chmod(0o644)
    assert world.forked() == 74
    (aside,) = world.database.parent.glob("twitter.db.damaged-*")
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert world.forked() == 0
    assert accepted(world) == 1
    world.next_slot()
    assert world.forked() == 0
    assert accepted(world) == 2
    heal(world)


def test_row_35_a_new_database_fails_closed(world):
    """With a replaced database and an unreadable timeline nothing is posted (75) until the timeline can be read."""
    assert world.forked() == 0
    damage(world.database)
    assert world.forked() == 74
    for view, code in (
        (fake_x.not_found(), 77),
        (fake_x.empty(), 75),
        (fake_x.server_error(503, accept=False), 75),
        (fake_x.unauthorized(), 77),
    ):
        world.x.always_get = view
        world.next_slot()
        assert (view.status, world.forked()) == (view.status, code)
    assert accepted(world) == 1
    world.x.always_get = None
    world.next_slot()
    assert world.forked() == 0  # this slot is given up as well
    world.next_slot()
    assert world.forked() == 0
    assert accepted(world) == 2
    world.check_promise()


# ---- 36-39: the model, the logs, the settings, the migration ----------------------------------------------------


def answer(*openings):
    return f"import json, sys\nfor item in json.loads(sys.stdin.readline())['statements']:\n    print(json.dumps({{'id': item['id'], 'openings': {[[o, 0.0, 0.0] for o in openings]!r}, 'tokens': 9, 'seconds': 0.1}}))"


MODELS = {
    "missing": None,
    "killed": "import os; os.kill(os.getpid(), 9)",
    "hangs": "import time; time.sleep(60)",
    "crashes": "raise SystemExit(3)",
    "garbage": "print('{]')",
    "10_MB": "print('x' * 10_000_000)",
    "NUL": answer("\0\0\0?"),
    "400_hashtags": answer("#a" * 400),
    "terminal": answer("\x1b]52;c;eA==\x07Why so late?"),
    "refusal": answer("I'm sorry, as an AI I cannot do that."),
    "mention_and_link": answer("@someone see evil.example now!"),
}


@pytest.mark.parametrize("name", MODELS)
def test_row_36_whatever_the_model_does(world, monkeypatch, name):
    """A model that is missing, killed, hanging or writing rubbish costs the opening, not the post: exit 0, vetted wording."""
    real = client.subprocess.Popen
    if MODELS[name] is not None:
        monkeypatch.setattr(
            client.subprocess,
            "Popen",
            lambda command, **options: real([sys.executable, "-c", MODELS[name]], **options),
        )
        monkeypatch.setattr(choose, "locate", lambda settings: Model(settings.models_dir, "fake", tuned=True))
    monkeypatch.setattr(
        world,
        "texts",
        lambda settings, history, now, seconds: content_generator.compose(
            settings, history, now, seconds=1 if name == "hangs" else 20
        ),
    )
    assert world.tick().outcome == "posted"
    assert (accepted(world), last(world)["status"], last(world)["origin"]) == (1, "posted", "wording")
    world.check_promise()


def test_row_37_logs_cannot_be_written(world, tmp_path):
    """Logs that cannot be opened cost a line on stderr at most, never the post."""
    (tmp_path / "file").touch()
    assert world.forked(LOG_DIR=str(tmp_path / "file" / "logs")) == 0
    assert (accepted(world), last(world)["status"]) == (1, "posted")
    heal(world)


def test_row_37_no_room_for_the_logs(world):
    """The kernel takes no byte more for the log files, though the database still has room: the post goes out."""
    limit = 1 << 20
    files = [world.folder / "logs" / name for name in (log.ALL_FILE, log.ERROR_FILE)]
    for file in files:
        file.write_bytes(b"{}\n".ljust(limit, b"\n"))
    assert world.forked(first=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) == 0
    assert [file.stat().st_size for file in files] == [limit, limit]
    assert (accepted(world), last(world)["status"]) == (1, "posted")
    heal(world)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_row_37_standard_streams_closed(tmp_path, closed):
    """With standard streams closed the run posts once, and no line ends up in the database."""
    with fake_x.FakeX() as x:
        world = World(tmp_path, x, None, extra={"CANDIDATES": "0", "POST_INTERVAL_MINUTES": "1440"})
        done = subprocess.run(
            ["bash", "-c", f"exec {sys.executable} -m src.twitter_manager {closed}"],
            cwd="/",
            check=False,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(config.ROOT),
                **world.env,
                **{k: v for k, v in os.environ.items() if k.startswith("COVERAGE_")},
            },
        )
        assert done.returncode == 0
        assert (len(x.texts()), world.statuses()) == (1, ["posted"])
        world.check_promise(slots=1)


def test_row_38_settings_file(world, tmp_path, monkeypatch):
    """No .env, one with a secret that others can read, or one of another user: exit 78, nothing is sent, no row is made."""
    rows = len(world.rows())
    assert world.forked(ENV_FILE=str(tmp_path / "none")) == 78
    file = tmp_path / "open.env"
    file.write_text("TWITTER_API_SECRET=a-secret-0123456789\n")
    file.chmod(0o644)
    assert world.forked(ENV_FILE=str(file)) == 78
    file.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(file, 65534, -1)
        assert world.forked(ENV_FILE=str(file)) == 78
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 65534)
        assert world.forked(ENV_FILE=str(file)) == 78
        monkeypatch.undo()
    assert world.forked(TWITTER_API_KEY="") == 78
    assert (accepted(world), len(world.rows())) == (0, rows)
    assert world.forked() == 0
    assert accepted(world) == 1


def seed_database(path):
    """The owner's original database: one row of each kind it could have."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(
            "CREATE TABLE posts (id INTEGER PRIMARY KEY, content TEXT NOT NULL, posted_at TIMESTAMP, status TEXT, error_message TEXT);"
        )
        db.executemany(
            "INSERT INTO posts(content, posted_at, status, error_message) VALUES (?, ?, ?, ?)",
            [
                ("An old success.", "2026-11-01T10:00:00.123456", "success", None),
                ("An old pending one.", "2026-11-22T14:03:00", "pending", None),
                ("An old failure.", "2026-11-02T10:00:00", "failed", "Exception: 500"),
            ],
        )
        db.commit()


def test_row_39_killed_in_the_migration(tmp_path):
    """Killed at any statement of the migration, the old rows are there, in one version or the other; then it goes on."""
    with new_world(tmp_path) as world:
        world.x.tweet_by_hand("An old success.")
        world.move(hours=2)
        kills = 0
        while True:
            seed_database(world.database) if not world.database.exists() else None
            code = world.forked(first=at("migrate.statement", die, kills + 1))
            if code != -9:
                break
            kills += 1
            assert world.rows("PRAGMA user_version")[0][0] == 0
            assert [row["status"] for row in world.rows()] == ["success", "pending", "failed"]
            assert world.x.texts() == []
        assert kills > 40
        assert code == 0
        assert [row["content"] for row in world.rows()][:3] == [
            "An old success.",
            "An old pending one.",
            "An old failure.",
        ]
        assert [row["status"] for row in world.rows()] == ["posted", "unconfirmed", "failed", "posted"]
        assert len(world.x.texts()) == 1
        world.check_promise()


def test_row_39_killed_before_the_migration_commits(tmp_path):
    """Killed just before the migration commits, nothing of it remains, and nothing was sent."""
    with new_world(tmp_path) as world:
        seed_database(world.database)
        assert world.forked("migrate.before_commit:kill") == -9
        assert world.rows("PRAGMA user_version")[0][0] == 0
        assert world.forked() == 0
        assert world.rows("PRAGMA user_version")[0][0] == len(MIGRATIONS)
        assert list(world.database.parent.glob("*.before-version-*"))
        world.check_promise()


# ---- 40: an OAuth 2.0 login is renewed --------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 8])
def test_row_40_renewals_race(world, count):
    """Several runs at once while a renewal is due: X is asked once, one tweet goes out, and the new tokens are kept."""
    give_login(world, minutes=5)
    pids = [world.spawn("tokens.rotated:sleep=0.1,tokens.saved:sleep=0.1") for _ in range(count)]
    assert {world.join(pid) for pid in pids} == {0}
    assert (accepted(world), last(world)["status"]) == (1, "posted")
    state = world.x.oauth2
    assert (state.token_requests, state.revoked, kept(world).refresh) == (1, False, "refresh-1")
    heal(world)


def test_row_40_killed_between_renewal_and_disk(world):
    """Killed when X had renewed and the disk did not know: nothing is claimed or sent, 77 with the fix; a new login heals it."""
    give_login(world, minutes=5)
    posts = len(world.ours())
    assert world.forked("tokens.rotated:kill") == -9
    world.move(minutes=1)
    assert world.forked() == 77
    assert (accepted(world), len(world.ours())) == (0, posts)
    with contextlib.closing(db_manager.open_for_reading(world.database)) as db:
        assert db.notes.current_hold().kind == "blocked"
        assert "login --oauth2" in db.notes.current_hold().fix.render()
    world.next_slot()
    world.x.oauth2 = fake_x.OAuth2()
    give_login(world)
    assert world.forked() == 0
    assert (accepted(world), last(world)["status"]) == (1, "posted")
    heal(world)


def test_row_40_killed_after_the_disk(world):
    """Killed when the new tokens are on disk: the next run posts with them, and X is not asked again."""
    give_login(world, minutes=5)
    assert world.forked("tokens.saved:kill") == -9
    world.move(minutes=1)
    assert world.forked() == 0
    assert (accepted(world), world.x.oauth2.token_requests) == (1, 1)
    heal(world)

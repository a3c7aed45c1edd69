"""Upkeep and restore: whatever happens, there is one whole database, a sound backup, and no tweet twice."""

import contextlib
import json
import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from src.config import ROOT
from src.content.freshness import EVER
from src.domain.answers import Outcome, SendResult
from src.domain.errors import DamagedError, StorageError, UsageError
from src.domain.posts import Status
from src.domain.runs import Exit
from src.domain.slots import slot_name
from src.domain.texts import Candidate, Draft, Verdict
from src.model import choose, files, versions
from src.posting.breaker import CLOSED
from src.store import connection, migrate
from src.system import failpoints
from src.system.lock import writer_lock
from src.upkeep import maintenance
from src.watch import alerts, health
from src.watch.facts import Facts, Maintenance
from tests import fake_x
from tests.support.hooks import new_hook
from tests.support.scenarios import Plan, die, judge
from tests.support.upkeep import (
    backups,
    forked,
    maintain,
    open_now,
    post,
    restore,
    scratch,
    settle_down,
    whole,
)
from tests.support.world import MovingClock, World

MAINTAIN_NAMES = tuple(n for n in failpoints.NAMES if n.startswith("maintain."))
RESTORE_NAMES = tuple(n for n in failpoints.NAMES if n.startswith("restore."))


# ---- maintain --------------------------------------------------------------------------------------------------


def test_a_backup_that_was_opened_and_compared(world):
    """The backup holds every post, is sound and private; the run and its figures are on record, the posts as they were."""
    post(world, 3)
    before = [tuple(row) for row in world.rows()]
    report = maintain(world)
    assert report.trouble is None
    (made,) = backups(world)
    assert whole(made) == [row["content"] for row in world.rows()]
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700
    assert [tuple(row) for row in world.rows()] == before
    data = report.as_data()
    assert (data["ok"], data["posts"], data["backups"]) == (True, 3, 1)
    assert data["disk"]["backups"] == made.stat().st_size
    assert data["disk"]["free"] > 0
    run = world.rows("SELECT * FROM runs WHERE command = 'maintain'")[0]
    assert (run["exit_code"], run["outcome"]) == (0, "maintained")
    assert "backup_seconds" in json.loads(run["metrics"])
    assert world.tick().exit_code == 0


def test_again_changes_nothing(world):
    """Ten times in a day: one backup, the same posts, nothing more to remove."""
    post(world, 2)
    posts = [tuple(row) for row in world.rows()]
    for _ in range(10):
        assert maintain(world).trouble is None
        world.move(minutes=1)
    assert len(backups(world)) == 1
    assert [tuple(row) for row in world.rows()] == posts
    assert maintain(world).data["removed"] == []


def test_keeps_as_many_days_as_set(world):
    """One backup a day for BACKUPS_KEEP days; what the owner put beside them stays."""
    world.extra["BACKUPS_KEEP"] = "3"
    post(world)
    maintain(world)
    own = backups(world)[0].with_name("twitter-before-the-move.db")
    own.write_bytes(b"mine")
    for _ in range(5):
        world.move(hours=12)
        maintain(world)
    days = [file.name[8:16] for file in backups(world)]
    assert days == ["20261125", "20261124", "20261123"]
    assert own.read_bytes() == b"mine"


def test_a_clock_that_was_wrong_costs_no_backup_and_no_figures(world):
    """Under a clock years behind, the new backup is not the one that is dropped; years ahead, nothing is past keeping."""
    world.extra["BACKUPS_KEEP"] = "2"
    post(world, 2)
    with open_now(world) as db:
        db.journal.add_candidates("r", [Candidate("s", "An opening?", 1.0, Verdict())], datetime.now(UTC))
    for _ in range(2):
        maintain(world)
        world.move(days=1)
    world.move(days=-9000)
    made = maintain(world).data["backup"]
    assert Path(made).exists()
    world.move(days=9000 + 3650)
    assert maintain(world).data["pruned"] == {"candidates": 0, "runs": 1, "attempts": 0}  # the run of 2002


def test_a_backup_that_holds_more_is_never_dropped(world):
    """If the database lost posts, the newest backup that has them stays, whatever its age, and the report names it."""
    world.extra["BACKUPS_KEEP"] = "1"
    post(world, 4)
    maintain(world)
    (full,) = backups(world)
    world.database.unlink()
    (world.folder / "data" / "twitter.db.in-use").unlink()
    world.x.accepted.clear()
    for _ in range(3):
        world.move(days=1)
        world.tick()
        report = maintain(world)
        assert len(backups(world)) == 2
        assert full.exists()
        assert full.name in report.as_text()
    world.next_slot()
    post(world, 4)
    assert "fuller" not in maintain(world).words
    assert not full.exists()


def old_rows(world):
    """Rows of every table from two years ago: posts of each state with an attempt, a candidate, a run."""
    then = datetime.now(UTC) - timedelta(days=730)
    with open_now(world) as db:
        for number, outcome in enumerate(
            (Outcome.POSTED, Outcome.REFUSED, Outcome.UNKNOWN, Outcome.NOT_SENT)
        ):
            made = db.claim(
                Draft(f"Old text {number}.", "wording"), slot_name(then + timedelta(hours=number)), then
            )
            attempt = db.begin_send(made, "old", then)
            tweet = 1288834974657 + number if outcome is Outcome.POSTED else None
            done = db.settle(
                db.post(made.id),
                attempt,
                SendResult(
                    outcome, tweet_id=(int(then.timestamp() * 1000) - 1288834974657) << 22 if tweet else None
                ),
                then,
            )
            if outcome is Outcome.REFUSED:
                db.prove_absent(done, "absent", free_slot=False)
        db.journal.add_candidates("old", [Candidate("s", "Old?", 1.0, Verdict())], then)
        db.journal.add_candidates("new", [Candidate("s", "New?", 1.0, Verdict())], datetime.now(UTC))
        db.journal.begin_run("old", "tick", "", "0", then)


def test_prunes_by_retention_and_never_posts(world):
    """Past keeping go candidates, runs and attempts of settled posts; posts, fingerprints and the attempts of open posts stay."""
    post(world)
    old_rows(world)
    posts = [tuple(row) for row in world.rows()]
    report = maintain(world)
    assert report.data["pruned"] == {"candidates": 1, "runs": 1, "attempts": 2}
    assert [tuple(row) for row in world.rows()] == posts
    left = {
        row["status"]
        for row in world.rows(
            "SELECT p.status FROM attempts a JOIN posts p ON p.id = a.post_id WHERE a.started < 1770000000"
        )
    }
    assert left == {"unknown", "pending"}
    with open_now(world) as db:
        assert all(db.archive.is_known_text(f"old TEXT {number}", EVER) for number in (0, 2, 3))
        unknown = db.with_status(Status.UNKNOWN)[0]
        with pytest.raises(sqlite3.IntegrityError, match="never sent again"):
            db.connection.sqlite.execute(
                "UPDATE posts SET attempts = attempts + 1 WHERE id = ?", (unknown.id,)
            )
    assert maintain(world).data["pruned"] == {"candidates": 0, "runs": 0, "attempts": 0}


def test_keeps_as_long_as_set(world):
    """The settings decide: with ten years of keeping nothing goes."""
    world.extra |= {"CANDIDATES_KEEP_DAYS": "3650", "RUNS_KEEP_DAYS": "3650", "ATTEMPTS_KEEP_DAYS": "3650"}
    post(world)
    old_rows(world)
    assert maintain(world).data["pruned"] == {"candidates": 0, "runs": 0, "attempts": 0}


def test_leaves_a_running_tick_alone(world):
    """While a run holds the lock: wait a minute, then leave with nothing done and no complaint. When it ends, go on."""
    post(world)
    started = datetime.now(UTC)
    with writer_lock(world.database) as ours:
        assert ours
        report = maintain(world)
    assert (report.trouble, report.data.get("busy")) == (None, True)
    assert datetime.now(UTC) - started >= timedelta(seconds=maintenance.WAIT_SECONDS)
    assert backups(world) == []
    lock = writer_lock(world.database)
    assert lock.__enter__()

    class Ends(MovingClock):
        def sleep(self, seconds):
            super().sleep(seconds)
            lock.__exit__(None, None, None)

    assert maintenance.maintain(world.settings, Ends(world.traveller), "waited").data["backups"] == 1


def test_a_tick_leaves_maintain_alone(world):
    """A tick that begins while `maintain` works leaves with nothing done, and the next one posts."""
    seen = []
    plan, real = Plan("maintain.backup_written", lambda: seen.append(world.forked())), failpoints._plan
    post(world)
    failpoints._plan = plan
    try:
        assert maintain(world).trouble is None
    finally:
        failpoints._plan = real
    assert seen == [0]
    assert len(world.x.texts()) == 1
    post(world)


def test_no_database_yet(world):
    """Before the first run there is nothing to do; a database that was here and is gone is trouble."""
    report = maintain(world)
    assert report.trouble is None
    assert "not made yet" in report.as_text()
    post(world)
    maintain(world)
    world.database.unlink()
    trouble = maintain(world).trouble
    assert trouble.exit_code is Exit.IO
    assert f"restore {backups(world)[0]}" in trouble.fix.render()
    assert not world.database.exists()


@pytest.mark.parametrize("harm", ["page", "index", "reference", "header", "empty"])
def test_damage_is_told_with_what_to_type(world, harm, monkeypatch):
    """A damaged database, of any size, is left as it is; exit 74 and the line that mends it, which works. Backups stay."""
    monkeypatch.setattr(migrate, "SMALL_DATABASE_BYTES", 0)
    post(world, 3)
    maintain(world)
    (good,) = backups(world)
    if harm == "page":
        scratch(world.database)
    elif harm == "header":
        scratch(world.database, at=0, size=100)
    elif harm == "empty":
        world.database.write_bytes(b"")
    else:
        with contextlib.closing(sqlite3.connect(world.database, isolation_level=None)) as db:
            if harm == "reference":
                db.execute("INSERT INTO attempts(post_id, started) VALUES (999, 1)")
            else:
                db.executescript(
                    "PRAGMA writable_schema=1; UPDATE sqlite_master SET sql = 'CREATE INDEX posts_created ON posts(sent_at)' WHERE name = 'posts_created';"
                )
    before = world.database.read_bytes()
    world.move(days=1)
    report = maintain(world)
    assert report.trouble.exit_code is Exit.IO
    assert ("is refused" if harm == "index" else "damaged") in str(report.trouble)
    assert world.database.read_bytes() == before
    assert backups(world) == [good]
    assert report.as_data()["ok"] is False
    typed = report.trouble.fix.render().split("restore ")[1].split()[0]
    restore(world, typed)
    assert len(whole(world.database)) == 3
    assert settle_down(world).accepted >= 5


def test_the_newest_sound_backup_is_named(world):
    """A backup that is damaged itself is passed over; without a sound one the words say what happens then."""
    post(world)
    for _ in range(2):
        maintain(world)
        world.move(days=1)
    newest, older = backups(world)
    scratch(world.database, at=0, size=100)
    scratch(newest, at=0, size=100)
    assert f"restore {older}" in maintain(world).trouble.fix.render()
    older.unlink()
    assert "no sound backup" in maintain(world).trouble.fix.render()


def test_damage_is_alerted_and_its_end_too(world):
    """The owner hears of damage once, a tick does not call it over, and the next sound `maintain` does."""
    with new_hook() as server:
        post(world, 2)
        maintain(world)
        world.extra |= {
            "ALERT_URLS": f"json://127.0.0.1:{server.server_port}/hook",
            "ALERT_NO_POST_HOURS": "720",
            "ALERT_LOW_LIBRARY_DAYS": "0",
        }
        saved = world.database.read_bytes()
        with contextlib.closing(sqlite3.connect(world.database, isolation_level=None)) as db:
            db.execute("INSERT INTO attempts(post_id, started) VALUES (999, 1)")
        for _ in range(2):
            assert maintain(world).trouble
        assert world.tick().outcome == "posted"
        messages = [json.loads(body) for _, body in server.seen]
        assert [m["title"] for m in messages] == ["twitter_manager: damage"]
        assert f"restore {backups(world)[0]}" in messages[0]["message"]
        world.database.write_bytes(saved)
        assert maintain(world).trouble is None
        assert [json.loads(body)["title"] for _, body in server.seen] == [
            "twitter_manager: damage",
            "twitter_manager: damage is over",
        ]


def test_a_run_judges_only_what_it_looked_for():
    """A cause that a run did not look for is not called over by it."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    told = {"damage": now.timestamp(), "blocked": now.timestamp()}
    tick = health.looked_at(Facts(breaker=CLOSED, failures=0))
    assert [a.cause for a in alerts.due({}, told, now, tick)[0]] == ["blocked"]
    assert alerts.due({}, told, now, tick)[1] == {"damage": now.timestamp()}
    maintenance = health.looked_at(Facts(maintenance=Maintenance(None, checked=True)))
    assert [a.cause for a in alerts.due({}, told, now, maintenance)[0]] == ["damage"]


def test_a_full_disk_keeps_the_old_backups(world):
    """No room for the backup: nothing of it remains, the older ones stay, exit 74, the alert and the words say so; later it works."""
    post(world, 2)
    maintain(world)
    (old,) = backups(world)
    world.move(days=1)
    noted = []

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
        alerts.tell = lambda found, *_: noted.extend(found)

    def work():
        report = maintain(world)
        assert "older ones stay" in str(report.trouble), report.trouble
        assert "df -h" in report.trouble.fix.render()
        assert [finding.code for finding in noted] == ["backup"]
        return report

    assert forked(Plan("maintain.backup_begun", no_room), work) == 74
    assert backups(world) == [old]
    assert sorted(old.parent.iterdir()) == [old]
    assert len(whole(old)) == len(whole(world.database)) == 2
    assert maintain(world).trouble is None
    assert len(backups(world)) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a disk")
def test_a_full_disk_of_its_own(tmp_path):
    """The same on a real disk without a free byte, through the command."""
    with fake_x.FakeX() as x:
        world = World(tmp_path, x, None, extra={"CANDIDATES": "0", "POST_INTERVAL_MINUTES": "1440"})
        world.cli()
        world.cli("maintain")
        folder = world.folder / "data" / "backups"
        saved = backups(world)[0].read_bytes()
        script = (
            f"mount -t tmpfs -o size=160k none {folder} && cat > {folder}/twitter-20200101T000000.db && {sys.executable} -m src.twitter_manager maintain; "
            f"echo exit $?; ls -A {folder}"
        )
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script],
            input=saved,
            cwd=ROOT,
            env={"PATH": "/usr/sbin:/usr/bin:/bin", **world.env},
            capture_output=True,
            timeout=60,
            check=False,
        )
        if b"unshare" in done.stderr or b"mount:" in done.stderr:
            pytest.skip(done.stderr.decode())
        assert done.stdout.decode() == "exit 74\ntwitter-20200101T000000.db\n"
        assert b"older ones stay" in done.stderr
        assert b"make room" in done.stderr


def test_a_folder_that_cannot_hold_backups(world):
    """A file in the place of the folder: told, exit 74, and the database as it was."""
    post(world)
    (world.folder / "data" / "backups").touch()
    trouble = maintain(world).trouble
    assert trouble.exit_code is Exit.IO
    assert "could not be written" in str(trouble)
    post(world)


def test_a_backup_that_differs_is_no_backup(world):
    """If the copy does not hold what the database holds, it gets no name and the older ones stay."""
    post(world)
    maintain(world)
    (old,) = backups(world)
    world.move(days=1)

    def spoil():
        (unfinished,) = [f for f in old.parent.iterdir() if f.name.startswith(".")]
        with contextlib.closing(sqlite3.connect(unfinished, isolation_level=None)) as db:
            db.execute("DELETE FROM runs")

    for act, words in (
        (spoil, "does not hold"),
        (
            lambda: scratch(next(f for f in old.parent.iterdir() if f.name.startswith(".")), 4096, 9000),
            "damaged as soon",
        ),
    ):
        failpoints._plan, real = Plan("maintain.backup_written", act), failpoints._plan
        try:
            trouble = maintain(world).trouble
        finally:
            failpoints._plan = real
        assert words in str(trouble)
        assert not isinstance(trouble, DamagedError)
        assert sorted(old.parent.iterdir()) == [old]


# ---- files -----------------------------------------------------------------------------------------------------


def aged(path, world, days):
    moment = (datetime.now(UTC) - timedelta(days=days)).timestamp()
    for each in [*path.rglob("*"), path]:
        os.utime(each, (moment, moment), follow_symlinks=False)


def test_leftovers_of_dead_runs_go(world):
    """Unfinished files and folders of dead runs go after a day; younger ones, and whatever has another name, stay."""
    post(world)
    data, models = world.folder / "data", world.folder / "data" / "models"
    models.mkdir()
    (data / "backups").mkdir()
    old = [
        data / ".alerts.json.123",
        data / ".twitter.db.77-journal",
        data / "backups" / ".twitter-20260101T000000.db.9",
        models / ".ACTIVE.json.5",
        models / ".embedded-x.42",
    ]
    kept = [
        data / ".alerts.json.124",
        data / ".hidden",
        data / "twitter.db.damaged-20260101T000000",
        models / "owner--name-abc",
        models / ".embedded-y.43",
        data / ".link.9",
    ]
    for path in old + kept:
        if path.parent == models and "embedded" in path.name:
            path.mkdir()
            (path / "model.safetensors").write_bytes(b"x")
        elif path.name != ".link.9":
            path.write_bytes(b"x")
        if path.name not in {".alerts.json.124", ".link.9"}:
            aged(path, world, 2)
    (data / ".link.9").symlink_to(models / "owner--name-abc")
    aged(models / ".embedded-y.43", world, 2)
    os.utime(models / ".embedded-y.43" / "model.safetensors", (datetime.now(UTC).timestamp(),) * 2)
    os.utime(data / ".alerts.json.124", (datetime.now(UTC).timestamp(),) * 2)
    report = maintain(world)
    assert sorted(report.data["removed"]) == sorted(p.name for p in old)
    assert not any(p.exists() for p in old)
    assert all(p.exists() for p in kept)
    assert report.data["disk"]["set_aside"] == 1


def test_models_that_nothing_points_to_go(world):
    """Of the converted models the one in use, the one before and the one that ships stay; what the owner brought stays too."""
    models = world.folder / "data" / "models"
    shipping = choose.embedded_folder(models)
    for name in (
        shipping.name,
        "embedded-1-current",
        "embedded-2-previous",
        "embedded-3-old",
        "embedded-4-young",
        "owner--name-0123",
        "embedded-5-no-manifest",
    ):
        (models / name).mkdir(parents=True)
        if "no-manifest" not in name:
            (models / name / files.MANIFEST).write_text("{}")
        aged(models / name, world, 3 if "young" not in name else 0.5)
    (models / versions.ACTIVE).write_text(
        json.dumps({"current": "embedded-1-current", "previous": "embedded-2-previous"})
    )
    assert maintain(world).data["removed"] == ["embedded-3-old"]
    aged(models / "embedded-4-young", world, 3)
    (models / versions.ACTIVE).write_text("{broken")
    assert maintain(world).data["removed"] == []
    (models / versions.ACTIVE).write_text(
        json.dumps(
            {"embedded": {"current": "embedded-1-current"}, "owner/name": {"current": "embedded-4-young"}}
        )
    )
    assert maintain(world).data["removed"] == ["embedded-2-previous"]
    assert {f.name for f in models.iterdir()} == {
        shipping.name,
        "embedded-1-current",
        "embedded-4-young",
        "owner--name-0123",
        "embedded-5-no-manifest",
        versions.ACTIVE,
    }


def test_old_log_files_go(world):
    """Log files past keeping go, and what cannot be removed is no reason to stop."""
    logs = world.folder / "logs"
    post(world)
    old = logs / "twitter_manager.log.20260101T000000"
    old.write_text("{}")
    aged(old, world, 90)
    (world.folder / "data" / ".stuck.1").mkdir()
    report = maintain(world)
    assert old.name in report.data["removed"]
    assert len(backups(world)) == 1


# ---- killed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAINTAIN_NAMES)
def test_maintain_killed_at_every_step(world, name):
    """kill -9 at each step: the database and every backup are whole, a backup of before or of now is there, the next run mends."""
    post(world)
    old_rows(world)
    maintain(world)
    (old,) = backups(world)
    world.move(days=1)
    world.extra["BACKUPS_KEEP"] = "1"
    old_rows_again = [tuple(row) for row in world.rows()]
    assert forked(Plan(name, die), lambda: maintain(world)) == -signal.SIGKILL
    assert [tuple(row) for row in world.rows()] == old_rows_again
    found = backups(world)
    assert found
    for file in (world.database, *found):
        assert len(whole(file)) == len(old_rows_again)
    report = maintain(world)
    assert report.trouble is None
    (made,) = backups(world)
    assert made != old
    for left in made.parent.glob(".*"):
        aged(left, world, 2)
    assert maintain(world).trouble is None
    assert len(list(made.parent.iterdir())) == 1
    post(world)


def test_every_step_is_passed(world):
    """Every name of `maintain` and `restore` in failpoints.NAMES is passed: a new step without a test fails here."""
    post(world)
    plan, real = Plan(), failpoints._plan
    failpoints._plan = plan
    try:
        maintain(world)
        restore(world, backups(world)[0])
    finally:
        failpoints._plan = real
    assert [n for n in dict.fromkeys(plan.reached) if n.startswith(("maintain.", "restore."))] == [
        *MAINTAIN_NAMES,
        *RESTORE_NAMES,
    ]


@pytest.mark.parametrize("name", RESTORE_NAMES)
@pytest.mark.parametrize("damaged", [False, True], ids=["sound", "damaged"])
def test_restore_killed_at_every_step(world, name, damaged):
    """kill -9 at each step: the old database or the restored one, never a half; ticks go on, nothing doubled, nothing lost."""
    post(world, 2)
    maintain(world)
    (backup,) = backups(world)
    post(world, 3)
    texts = whole(world.database)
    if damaged:
        scratch(world.database, at=0, size=100)
        world.database.with_name("twitter.db-journal").write_bytes(b"junk" * 500)
    old = world.database.read_bytes()
    assert forked(Plan(name, die), lambda: restore(world, backup)) == -signal.SIGKILL
    if name == "restore.swapped":
        assert whole(world.database) == texts[:2]
    else:
        assert world.database.read_bytes() == old
    kept = list(world.database.parent.glob("twitter.db.replaced-*[0-9]"))
    assert [k.read_bytes() for k in kept] == ([] if name == "restore.copied" else [old])
    if damaged and name == "restore.copied":
        restore(world, backup)
    settle_down(world)
    restore(world, backup)
    assert whole(world.database) == texts[:2]
    assert not list(world.database.parent.glob("twitter.db-*"))
    settle_down(world)


# ---- restore ---------------------------------------------------------------------------------------------------


def test_restore_brings_back_what_was_posted_since(world):
    """Post, back up, post three more, restore: the next run has them on record, each with its slot; nothing doubled, nothing lost."""
    world.warm()
    post(world, 2)
    maintain(world)
    (backup,) = backups(world)
    post(world, 2)
    assert world.tick().outcome == "posted"
    spent = world.rows("SELECT total(usd) FROM spending WHERE kind = 'post'")[0][0]
    world.move(minutes=5)
    before = world.database.read_bytes()
    data, words = restore(world, backup)
    assert Path(data["kept"]).read_bytes() == before
    assert (
        stat.S_IMODE(Path(data["kept"]).stat().st_mode)
        == stat.S_IMODE(world.database.stat().st_mode)
        == 0o600
    )
    assert data["posts"] == len(world.rows())
    assert "reads your timeline first" in words
    result = world.tick()
    assert result.exit_code == 0
    assert result.outcome.startswith("nothing-due")
    verdict = judge(world)
    assert (verdict.doubled, verdict.unrecorded, verdict.invented) == (0, 0, 0)
    assert [row["slot"] for row in world.rows() if row["tweet_id"]].count(None) == 0
    assert world.rows("SELECT total(usd) FROM spending WHERE kind = 'post'")[0][0] == pytest.approx(spent)
    world.next_slot()
    assert world.tick().outcome == "posted"
    settle_down(world)


def test_restore_in_the_slot_of_a_tweet_that_x_does_not_show_yet(world):
    """The tweet of this very slot is not on the timeline yet: the slot is given up, and the tweet is found later."""
    post(world, 2)
    maintain(world)
    world.x.read_lag = 600.0
    assert world.tick().outcome == "posted"
    restore(world, backups(world)[0])
    for _ in range(3):
        world.move(minutes=5)
        assert world.tick().outcome.startswith("nothing-due")
    settle_down(world)


def test_restore_reads_more_than_a_page(world):
    """A backup from days ago: every page since is read, and none of 240 tweets is lost or has no slot."""
    post(world)
    maintain(world)
    (backup,) = backups(world)
    for n in range(240):
        world.x.tweet_by_hand(f"Tweet {n} that the lost database knew.")
        world.move(hours=1)
    restore(world, backup)
    gets = len([r for r in world.x.requests if r.method == "GET"])
    assert world.tick().exit_code == 0
    assert len([r for r in world.x.requests if r.method == "GET"]) - gets == 3
    recorded = {row["tweet_id"] for row in world.rows()}
    assert {t.id for t in world.x.accepted} <= recorded
    assert sum(row["slot"] is not None for row in world.rows()) == 241
    settle_down(world)


def test_restore_fails_closed(world):
    """While the timeline cannot be read, or is empty, nothing is posted; after a page that fails the next run goes on."""
    post(world)
    maintain(world)
    (backup,) = backups(world)
    for n in range(120):
        world.x.tweet_by_hand(f"Tweet {n} that the lost database knew.")
        world.move(hours=1)
    restore(world, backup)
    made = len(world.x.accepted)
    world.x.always_get = fake_x.not_found()
    assert world.tick().outcome == "cold-start"
    world.x.always_get = fake_x.stale()
    assert "restored" in world.tick().message
    world.x.always_get = None
    world.x.on_get(fake_x.ok(), fake_x.server_error(503, accept=False))
    assert world.tick().outcome == "cold-start"
    assert len(world.rows()) == 101
    assert len(world.x.accepted) == made
    assert world.tick().exit_code == 0
    assert len(world.rows()) == 121
    settle_down(world)


def test_restore_when_the_newest_known_tweets_are_deleted(world):
    """The tweets that the backup knows best are gone from X: older ones show that the timeline can be trusted."""
    post(world, 7)
    maintain(world)
    for tweet in world.x.accepted[-6:]:
        tweet.deleted = True
    restore(world, backups(world)[0])
    world.tick()
    world.next_slot()
    assert world.tick().outcome == "posted"


def test_restore_does_not_send_what_waited_then(world):
    """Texts that waited in the backup and went out since are not sent again, whatever the timeline shows of them."""
    world.warm()
    with open_now(world) as db:
        for text in ("An approved draft.", "Another approved draft."):
            db.approve(db.add_draft(Draft(text, "person"), datetime.now(UTC)), datetime.now(UTC))
    world.x.on_post(fake_x.rate_limited(None))
    assert world.tick().exit_code == 75
    assert sorted(world.statuses()) == ["approved", "posted", "posted", "unknown"]
    maintain(world)
    (backup,) = backups(world)
    world.move(minutes=20)
    assert world.tick().outcome == "nothing-due:slot-used"
    world.move(minutes=40)
    post(world, 2)
    assert world.x.texts()[-2:] == [
        "Another approved draft.",
        "An approved draft.",
    ]  # refused, so proven absent first
    world.move(hours=-1, minutes=-30)
    data, words = restore(world, backup)
    assert (data["expired"], data["to_approve"]) == (0, 1)
    assert "approval again" in words
    for mode in (None, fake_x.stale(), None):
        world.x.always_get = mode
        for _ in range(3):
            world.move(minutes=30)
            world.tick()
    verdict = settle_down(world)
    assert verdict.doubled == 0


def test_restore_settles_what_was_unknown_then(world):
    """A post whose outcome nobody knew at the backup is settled by the same read, and keeps its text and its slot."""
    world.warm()
    world.x.on_post(fake_x.close(accept=True))
    world.x.always_get = fake_x.not_found()
    assert world.tick().outcome == "unknown"
    world.x.always_get = None
    maintain(world)
    world.next_slot()
    post(world, 2)
    restore(world, backups(world)[0])
    world.tick()
    ours = world.ours()[-1]
    assert (ours["status"], ours["resolved_by"]) == ("posted", "timeline")
    settle_down(world)


@pytest.mark.parametrize(
    "name",
    ["tick.recovered", "reconcile.read", "tick.due", "claim.committed", "send.after", "settle.committed"],
)
def test_the_run_after_a_restore_is_killed(world, name):
    """kill -9 in the first runs after a restore: nothing doubled, nothing lost."""
    post(world, 2)
    maintain(world)
    post(world, 3)
    restore(world, backups(world)[0])
    for _ in range(3):
        world.forked(f"{name}:kill")
        world.move(minutes=35)
    settle_down(world)


def foreign(folder, world):
    path = folder / "foreign.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript("CREATE TABLE posts (id INTEGER PRIMARY KEY); PRAGMA user_version=2;")
    return path


def newer(folder, world):
    path = folder / "newer.db"
    shutil.copy(world.database, path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=99")
    return path


def broken(folder, world):
    path = folder / "broken.db"
    shutil.copy(world.database, path)
    scratch(path)
    return path


def words_only(folder, world):
    path = folder / "text.db"
    path.write_text("no database" * 1000)
    return path


def torn(folder, world):
    path = folder / "torn.db"
    path.write_bytes(world.database.read_bytes()[:30_000])
    return path


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda folder, world: folder / "none.db", UsageError, "not a file"),
        (lambda folder, world: folder, UsageError, "not a file"),
        (lambda folder, world: world.database, UsageError, "itself"),
        (foreign, StorageError, "another program"),
        (newer, StorageError, "newer version"),
        (broken, StorageError, "."),
        (words_only, StorageError, "text.db is no database; nothing was changed"),
        (torn, StorageError, "malformed"),
    ],
    ids=["missing", "folder", "itself", "foreign", "newer", "broken", "text", "torn"],
)
def test_restore_refuses_what_is_no_backup(world, tmp_path, make, kind, words):
    """Whatever is not a sound database of this program is refused with words; the database keeps every byte."""
    post(world, 2)
    before = world.database.read_bytes()
    names = {f.name for f in world.database.parent.iterdir()}
    with pytest.raises(kind, match=words) as caught:
        restore(world, make(tmp_path, world))
    assert caught.value.fix
    assert world.database.read_bytes() == before
    assert {f.name for f in world.database.parent.iterdir()} == names
    post(world)


def test_restore_needs_the_program_stopped(world):
    """While another run holds the lock nothing is touched."""
    post(world)
    maintain(world)
    with writer_lock(world.database) as ours, pytest.raises(UsageError, match="another run"):
        assert ours
        restore(world, backups(world)[0])


def test_restore_while_another_program_has_the_database(world):
    """A database browser in the middle of a write: told to close it; nothing is touched."""
    post(world)
    maintain(world)
    before = world.database.read_bytes()
    with contextlib.closing(sqlite3.connect(world.database, isolation_level=None)) as browser:
        browser.execute("BEGIN IMMEDIATE")
        real = connection.PRAGMAS["busy_timeout"]
        connection.PRAGMAS["busy_timeout"] = 50
        try:
            with pytest.raises(StorageError) as caught:
                restore(world, backups(world)[0])
        finally:
            connection.PRAGMAS["busy_timeout"] = real
    assert "close it" in caught.value.fix.render()
    assert world.database.read_bytes() == before


def test_restore_on_a_new_machine(world, tmp_path):
    """With no database and no folder, a backup is all it takes; the account's tweets since come back."""
    post(world, 3)
    maintain(world)
    safe = tmp_path / "elsewhere.db"
    shutil.copy(backups(world)[0], safe)
    post(world, 2)
    shutil.rmtree(world.folder / "data")
    data, _words = restore(world, safe)
    assert data["kept"] == ""
    settle_down(world)
    assert world.texts.asked >= 6


@pytest.mark.parametrize("gone", [False, True], ids=["there", "gone"])
def test_the_journal_of_the_replaced_database_is_not_played_into_the_new_one(world, gone):
    """A run that died in the middle of a write left a hot journal: undone in the one that is kept, never played into the new one."""
    post(world, 3)
    maintain(world)
    texts = whole(world.database)

    def dies():
        db = sqlite3.connect(world.database, isolation_level=None)
        db.execute("PRAGMA cache_size=1")
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE posts SET error_message = hex(randomblob(30000))")
        die()

    assert forked(Plan(), dies) == -signal.SIGKILL
    assert world.database.with_name("twitter.db-journal").exists()
    if gone:
        world.database.unlink()
    data, _words = restore(world, backups(world)[0])
    assert whole(world.database) == texts
    assert gone or whole(data["kept"]) == texts
    assert len(list(world.database.parent.glob("twitter.db*-journal"))) == gone
    settle_down(world)


def test_a_full_disk_during_restore(world):
    """No room for the copy: exit 74, the database keeps every byte, nothing is left over."""
    post(world, 2)
    maintain(world)
    post(world)
    before = world.database.read_bytes()
    names = {f.name for f in world.database.parent.iterdir()}

    def work():
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
        return restore(world, backups(world)[0])

    assert forked(Plan(), work) == 74
    assert world.database.read_bytes() == before
    assert {f.name for f in world.database.parent.iterdir()} == names


def test_no_room_to_keep_the_replaced_one(world):
    """If there is room for one copy only, the replaced database is kept by a rename instead."""
    post(world, 2)
    maintain(world)
    post(world)
    before = world.database.read_bytes()

    def work():
        with contextlib.suppress(FileNotFoundError):
            return restore(world, backups(world)[0])

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    assert forked(Plan("restore.copied", no_room), work) == 0
    (kept,) = world.database.parent.glob("twitter.db.replaced-*")
    assert kept.read_bytes() == before
    assert len(whole(world.database)) == 2
    settle_down(world)


# ---- the commands ----------------------------------------------------------------------------------------------


def test_the_commands(tmp_path):
    """Piped, `maintain` is silent when all is well; --json tells all; damage is one line and its fix on stderr, exit 74; the fix works."""
    with fake_x.FakeX() as x:
        world = World(tmp_path, x, None, extra={"CANDIDATES": "0", "POST_INTERVAL_MINUTES": "1440"})
        assert world.cli().returncode == 0
        done = world.cli("maintain")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        data = json.loads(world.cli("maintain", "--json").stdout)
        assert (data["ok"], data["backups"], data["posts"]) == (True, 1, 1)
        scratch(world.database, at=0, size=100)
        done = world.cli("maintain", "--json")
        assert done.returncode == 74
        assert json.loads(done.stdout)["exit_code"] == 74
        assert f"restore {backups(world)[0]}" in done.stderr
        relative = Path(os.path.relpath(backups(world)[0], "/"))
        done = world.cli("restore", str(relative), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["posts"] == 1
        assert world.cli().returncode == 0
        assert len(x.texts()) == 1
        assert world.cli("restore", str(tmp_path / "none")).returncode == 2


def test_after_damage_the_tick_names_the_backup(world):
    """A tick that sets a damaged database aside says which backup to restore; that works after it, too."""
    post(world, 2)
    maintain(world)
    (backup,) = backups(world)
    scratch(world.database, at=0, size=100)
    with pytest.raises(StorageError) as caught:
        world.tick()
    assert f"restore {backup}" in caught.value.fix.render()
    world.next_slot()
    world.tick()
    restore(world, backup)
    settle_down(world)

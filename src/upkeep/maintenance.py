"""Upkeep: `maintain` checks, backs up and prunes; `restore` puts a backup in the place of the database.

`maintain` takes the writer's lock, so no tick runs meanwhile, and does nothing that a kill could leave half
done: a backup gets its name only when it has been opened and compared, and older ones go only after that.
`restore` keeps the database it replaces, and what was tweeted since the backup comes back from the
timeline, at the next run.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from src import __version__, db_manager
from src.config import Settings
from src.db_manager import Database
from src.domain.errors import BusyError, DamagedError, ProgramError, StorageError, UsageError
from src.domain.fixes import Fix, line
from src.domain.plurals import numbered
from src.domain.runs import Exit, RunOutcome
from src.model import choose
from src.store import backup
from src.store.backup import Backup
from src.store.connection import settle_journal
from src.store.damage import BACKUPS, mark_in_use, was_in_use
from src.system import files, log_rotation
from src.system.clock import Clock
from src.system.failpoints import reach
from src.system.lock import sole_writer
from src.system.log import logger
from src.watch import alerts
from src.watch.facts import Facts, Maintenance
from src.x.claim import fix_text

WAIT_SECONDS = 60.0  # for a tick that is running; then leave it alone
STALE_AFTER = timedelta(days=1)  # nothing here works on a temporary file or an unused model for so long
CLOCK_TRUST = timedelta(
    days=30
)  # a clock further ahead of the newest tweet than this does not decide what is old
_TEMPORARY = re.compile(r"\..+\.\d+(-journal)?")  # as `files.unfinished` names them
_BACKUP = re.compile(r"twitter-(\d{8})T\d{6}\.db")
_SIDE_FILES = ("-journal", "-wal", "-shm")


@dataclass(slots=True)
class MaintenanceReport:
    """The result of `maintain`: a sentence for each part, figures for programs, and the error, if any.

    `checked` tells that the database was checked and is sound, or that there is none yet.
    """

    words: dict[str, str] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    trouble: ProgramError | None = None
    checked: bool = False

    def as_data(self, profile: str = "") -> dict[str, Any]:
        """Return the result as plain data, the fix as the owner of `profile` reads it."""
        bad = self.trouble
        return {
            "ok": bad is None,
            "exit_code": int(bad.exit_code) if bad else 0,
            "message": str(bad or ""),
            "fix": fix_text(bad.fix, profile) if bad else "",
            **self.data,
        }

    def as_text(self) -> str:
        """For people."""
        return "\n".join(f"{name:<9} {says}" for name, says in self.words.items())


# ---- maintain ----------------------------------------------------------------------------------------------


def maintain(settings: Settings, clock: Clock, run_id: str) -> MaintenanceReport:
    """Check, back up, prune and tidy. Safe at any time; a `ProgramError` is put into the report, not raised.

    1. the lock: wait a minute for a tick that is running, then leave it alone
    2. drop log files past keeping, unfinished files of dead runs, and models that nothing points to
    3. check the database whole; a damaged one is left as it is, and the owner told which backup to restore
    4. back it up, open and compare the backup, and only then drop older ones
    5. prune candidates, runs and attempts past keeping
    """
    report = MaintenanceReport()
    try:
        with sole_writer(settings.database, wait=WAIT_SECONDS, sleep=clock.sleep):
            reach("maintain.locked")
            _tidy(settings, clock.now(), report)
            _look_after_database(settings, clock, run_id, report)
    except BusyError as busy:
        logger.info("maintain.busy")
        report.words["busy"] = f"{busy}; nothing was done, the next maintenance will"
        report.data["busy"] = True
        return report
    except ProgramError as trouble:
        report.trouble = trouble
    report.data["disk"] = use = disk_use(settings)
    report.words["disk"] = ", ".join(f"{name.replace('_', ' ')} {_size(used)}" for name, used in use.items())
    alerts.watch(Facts(maintenance=Maintenance(report.trouble, report.checked)), settings, clock.now())
    logger.info("maintain", extra={"detail": report.as_data(settings.profile)})
    return report


def _look_after_database(settings: Settings, clock: Clock, run_id: str, report: MaintenanceReport) -> None:
    path, started = settings.database, clock.now()
    if not path.exists() and not was_in_use(path):
        report.words["database"] = "not made yet; the first run makes it"
        report.checked = True
        return
    with contextlib.closing(_open_sound(path, started)) as db:
        report.checked = True
        reach("maintain.checked")
        contents = backup.contents(db.connection)
        report.data |= {"posts": contents.posts, "check_seconds": _seconds(started, clock)}
        report.words["database"] = f"sound, {numbered(contents.posts, 'post')}, {_size(path.stat().st_size)}"
        db.journal.begin_run(run_id, "maintain", "", __version__, started)
        try:
            _back_up_and_prune(db, settings, clock, report)
        except ProgramError as trouble:
            with contextlib.suppress(ProgramError):
                db.journal.finish_run(
                    run_id, trouble.exit_code, RunOutcome.TROUBLE, str(trouble), {}, clock.now()
                )
            raise
        figures = {name: float(value) for name, value in report.data.items() if name.endswith("seconds")}
        db.journal.finish_run(
            run_id, Exit.OK, RunOutcome.MAINTAINED, report.words["backup"], figures, clock.now()
        )
    reach("maintain.finished")


def _open_sound(path: Path, now: datetime) -> Database:
    """Open the database and check it whole. Raises `DamagedError` with the fix; the file is not moved."""
    if not path.exists():
        message = f"the database {path} is gone"
        raise DamagedError(message, _way_out(path))
    db = None
    try:
        db = db_manager.open_database(path, now, set_aside=False)
        backup.check_whole(db.connection)
    except DamagedError as error:
        if db:
            db.close()
        message = f"the database {path} is damaged: {error}"
        raise DamagedError(message, _way_out(path)) from error
    return db


def _way_out(path: Path) -> Fix:
    for file in backups(path.parent):
        with contextlib.suppress(StorageError):
            sound = backup.read_contents(file)
            contents = f"it holds {numbered(sound.posts, 'post')} and is sound"
            return Fix("type: ", line(f"restore {file}"), f"   ({contents})")
    return Fix(
        "there is no sound backup; the next run sets the file aside and starts anew:"
        " it first reads your timeline on X"
    )


def _back_up_and_prune(db: Database, settings: Settings, clock: Clock, report: MaintenanceReport) -> None:
    started = clock.now()
    try:
        made = _back_up(db, settings.data_dir, started)
        dropped, fuller = _drop_old_backups(made, settings.backups_keep)
    except DamagedError:
        raise
    except (OSError, StorageError) as error:
        message = f"the backup could not be written, the older ones stay: {error}"
        fix = Fix(f"make room and see that the folder is writable: df -h {settings.data_dir / BACKUPS}")
        raise StorageError(message, error.fix if isinstance(error, StorageError) else fix) from error
    kept = len(backups(settings.data_dir))
    report.words["backup"] = f"{made}, opened and compared; {kept} kept, {len(dropped)} dropped"
    report.data |= {
        "backup": str(made),
        "backups": kept,
        "backups_dropped": dropped,
        "backup_seconds": _seconds(started, clock),
    }
    if fuller:
        report.words["fuller"] = (
            f"{fuller} holds posts that the database does not; restoring it brings them back; it is kept"
        )
        report.data["fuller_backup"] = str(fuller)
        logger.warning("maintain.fuller_backup", extra={"detail": report.words["fuller"]})
    started = clock.now()
    report.data["pruned"] = gone = db.journal.prune(**_cut_offs(settings, db, started))
    report.data["prune_seconds"] = _seconds(started, clock)
    report.words["pruned"] = ", ".join(f"{number} {table}" for table, number in gone.items())
    db.notes.put(maintained_at=str(started.timestamp()))


def _cut_offs(settings: Settings, db: Database, now: datetime) -> dict[str, datetime]:
    """Return the time before which each table is pruned. A clock far ahead of X's must not empty them."""
    newest = db.archive.last_posted()
    present = min(now, newest + CLOCK_TRUST) if newest else now
    days = {
        "candidates": settings.candidates_keep_days,
        "runs": settings.runs_keep_days,
        "attempts": settings.attempts_keep_days,
    }
    return {table: present - timedelta(days=keep) for table, keep in days.items()}


# ---- backups -----------------------------------------------------------------------------------------------


def backups(data_dir: Path) -> list[Path]:
    """Return the backups that `maintain` made, newest first."""
    folder = data_dir / BACKUPS
    return sorted((f for f in folder.glob("twitter-*.db") if _BACKUP.fullmatch(f.name)), reverse=True)


def _back_up(db: Database, data_dir: Path, now: datetime) -> Path:
    """Write a new backup and give it its final name. If anything fails before, nothing of it remains."""
    folder = data_dir / BACKUPS
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"twitter-{now:%Y%m%dT%H%M%S}.db"
    unfinished = files.unfinished(target)
    try:
        Backup(db.connection, unfinished).write()
        files.put_in_place(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    reach("maintain.backup_named")
    return target


def _drop_old_backups(made: Path, keep: int) -> tuple[list[str], Path | None]:
    """Keep the newest backup of each of the `keep` newest days. Return those dropped, and the fuller one.

    Posts are never deleted, so a backup with more of them than the one just made tells that the database lost
    some: the newest such one stays, however old it is.
    """
    now_held = backup.newest_post_id(made) or 0
    others = [file for file in backups(made.parent.parent) if file != made]
    fuller = next((f for f in others if (backup.newest_post_id(f) or 0) > now_held), None)
    days, dropped = {_day(made)}, []
    for file in others:
        if file == fuller:
            continue
        if _day(file) in days or len(days) >= keep:
            file.unlink(missing_ok=True)
            dropped.append(file.name)
        days.add(_day(file))
    return dropped, fuller


def _day(file: Path) -> str:
    return file.name[8:16]


# ---- files -------------------------------------------------------------------------------------------------


def _tidy(settings: Settings, now: datetime, report: MaintenanceReport) -> None:
    """Delete expired logs, unfinished files of dead runs, and unused models. Errors are only logged."""
    removed: list[str] = []
    with _told():
        removed += log_rotation.drop_old(settings.log_dir, settings.log_rules, now)
    for folder in (
        settings.data_dir,
        settings.data_dir / BACKUPS,
        settings.models_dir,
        settings.log_dir,
    ):
        for path in (*_left_over(folder), *(choose.unused(folder) if folder == settings.models_dir else ())):
            with _told():
                if _is_stale(path, now):
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
                    removed.append(path.name)
    report.data["removed"] = removed
    report.words["removed"] = ", ".join(removed) or "nothing was left over"


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        logger.warning("maintain.not_removed", extra={"detail": str(error)})


def _left_over(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob(".*")) if _TEMPORARY.fullmatch(path.name)]


def _is_stale(path: Path, now: datetime) -> bool:
    times = [path.lstat().st_mtime, *(p.lstat().st_mtime for p in path.rglob("*"))]
    return now.timestamp() - max(times) > STALE_AFTER.total_seconds()


def disk_use(settings: Settings) -> dict[str, int]:
    """Count bytes by purpose, and those free. `set_aside` are damaged and replaced databases."""
    path = settings.database
    beside = list(path.parent.glob(f"{path.name}.*-*")) if path.parent.is_dir() else []
    free = shutil.disk_usage(path.parent).free if path.parent.is_dir() else 0
    return {
        "database": _bytes([path]),
        "set_aside": _bytes(p for p in beside if p != path.with_name(f"{path.name}.in-use")),
        "backups": _bytes((path.parent / BACKUPS).glob("*")),
        "logs": _bytes(settings.log_dir.glob("*")),
        "models": _bytes(settings.models_dir.rglob("*")),
        "free": free,
    }


def _bytes(paths: Iterable[Path]) -> int:
    total = 0
    for path in paths:
        with contextlib.suppress(OSError):  # gone meanwhile
            total += path.lstat().st_size if path.is_file() else 0
    return total


def _size(number: int) -> str:
    return next(
        (
            f"{number / unit:.1f} {name}"
            for name, unit in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
            if number >= unit
        ),
        f"{number} B",
    )


def _seconds(since: datetime, clock: Clock) -> float:
    return round((clock.now() - since).total_seconds(), 3)


# ---- restore -----------------------------------------------------------------------------------------------


def restore(source: Path, settings: Settings, clock: Clock) -> tuple[dict[str, Any], str]:
    """Put a backup in the place of the database. Raises `ProgramError`; then the database is the one it was.

    1. the lock, and the backup checked whole
    2. a copy of it, made fit to go on from, beside the database
    3. the database it replaces, kept under a name of its own
    4. one rename: at each moment there is one whole database or the other
    """
    path, now = settings.database, clock.now()
    fix = Fix("take the program's lines out of the crontab (crontab -e), wait a little, and type this again")
    with sole_writer(path, fix=fix):
        _refuse_wrong_file(source, path)
        contents = _read_backup(source, path)
        copy = files.unfinished(path)
        try:
            waiting = backup.prepare_restored(source, copy, now)
            reach("restore.copied")
            kept = _keep_replaced(path, now)
            reach("restore.kept")
            files.put_in_place(copy, path)
            reach("restore.swapped")
            mark_in_use(path)
        except OSError as error:
            message = f"{source} could not be restored: {error.strerror or error}"
            raise StorageError(
                message, Fix(f"make room and see that the folder is writable: df -h {path.parent}")
            ) from error
        finally:
            for left in (copy, copy.with_name(f"{copy.name}-journal")):
                left.unlink(missing_ok=True)
    logger.warning(
        "restored", extra={"detail": str(source), "posts": contents.posts, "kept": str(kept or ""), **waiting}
    )
    data = {"restored": str(source), "posts": contents.posts, "kept": str(kept or ""), **waiting}
    return data, _restored_words(source, contents.posts, kept, waiting)


def _restored_words(source: Path, posts: int, kept: Path | None, waiting: dict[str, int]) -> str:
    lines = [f"{source} is in place, {numbered(posts, 'post')}"]
    if kept:
        lines.append(f"the database it replaced is kept as {kept}")
    if waiting["to_approve"]:
        lines.append(
            f"{waiting['to_approve']} approved drafts wait for your approval again: they may have gone out"
            " since the backup"
        )
    lines.append(
        "put the program's lines back into the crontab; its next run reads your timeline first and posts in"
        " a later slot"
    )
    return "\n".join(lines)


def _read_backup(source: Path, path: Path) -> backup.Contents:
    try:
        return backup.read_contents(source)
    except DamagedError as error:
        other = [file for file in backups(path.parent) if file != source]
        fix = Fix(f"the newest other backup is {other[0]}") if other else Fix("name another backup")
        what = "no database" if "not a database" in str(error) else f"damaged ({error})"
        message = f"{source} is {what}; nothing was changed"
        raise StorageError(message, fix) from error


def _refuse_wrong_file(source: Path, path: Path) -> None:
    if not source.is_file():
        known = backups(path.parent)
        raise UsageError(
            f"{source} is not a file",
            Fix(f"the newest backup is {known[0]}")
            if known
            else Fix(f"there is none in {path.parent / BACKUPS}"),
        )
    if path.exists() and source.samefile(path):
        message = f"{source} is the database itself"
        raise UsageError(message, Fix(f"name a backup: ls {path.parent / BACKUPS}"))


def _keep_replaced(path: Path, now: datetime) -> Path | None:
    """Keep the database to be replaced, and move its journal, which SQLite would apply to the new one."""
    target = next(
        name
        for n in count()
        if not (
            name := path.with_name(f"{path.name}.replaced-{now:%Y%m%dT%H%M%S}" + (f"-{n}" if n else ""))
        ).exists()
    )
    if path.exists():
        settle_journal(path)
        try:
            _copy(path, target)
        except (
            OSError
        ):  # no room or not readable: without a database for a moment, which the next run could live with
            path.rename(target)
    for suffix in _SIDE_FILES:
        side = path.with_name(path.name + suffix)
        if side.exists():
            side.rename(target.with_name(target.name + suffix))
    return target if target.exists() else None


def _copy(path: Path, target: Path) -> None:
    with files.replacing(target) as new, path.open("rb") as old:
        shutil.copyfileobj(old, new)

"""Put what `units` writes in place, in the user's crontab or in systemd, and take it out again."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from src.config import ROOT, Settings
from src.domain.errors import StorageError, UsageError
from src.domain.fixes import Fix, command
from src.system.files import as_storage_error, write_atomically
from src.upkeep import units
from src.x.claim import title

SYSTEM_UNITS = Path("/etc/systemd/system")
SECONDS = 60  # for crontab or systemctl to answer
_UNIT_MODE = 0o644  # units hold no secret, and systemd warns of other modes


# ---- cron ------------------------------------------------


def put_cron(settings: Settings) -> None:
    """Put this account's lines into the user's crontab, in the place of those put there before."""
    table = _without_block(_crontab(), settings)
    _write_crontab(table + cron_block(settings))


def remove_cron(settings: Settings) -> bool:
    """Take this account's lines out of the user's crontab; return whether there were any."""
    table = _crontab()
    rest = _without_block(table, settings)
    if rest == table:
        return False
    _write_crontab(rest)
    return True


def cron_block(settings: Settings) -> str:
    """Return this account's lines between the two comments by which they are found again."""
    begin, end = _marks(settings)
    return f"{begin}\n{units.cron(settings)}{end}\n"


def _marks(settings: Settings) -> tuple[str, str]:
    """Return the comments around the lines of one account of the program in one folder."""
    whose = f"{title(settings.profile)} in {ROOT}"
    return f"# BEGIN {whose}", f"# END {whose}"


def _without_block(table: str, settings: Settings) -> str:
    """Return a crontab without this account's lines; every other line stays as it is."""
    begin, end = _marks(settings)
    lines = table.splitlines(keepends=True)
    plain = [line.rstrip("\n") for line in lines]
    if begin not in plain:
        return table if not table or table.endswith("\n") else table + "\n"
    first = plain.index(begin)
    if end not in plain[first:]:
        message = f"the crontab has the line {begin!r} without its end"
        raise UsageError(message, Fix("remove this program's lines by hand: crontab -e"))
    last = plain.index(end, first)
    return _without_block("".join(lines[:first] + lines[last + 1 :]), settings)


def _crontab() -> str:
    """Return the user's crontab, empty where there is none."""
    done = _run("crontab", "-l")
    if done.returncode not in {0, 1}:  # 1: this user has no crontab
        raise _failed("crontab -l", done)
    return done.stdout if done.returncode == 0 else ""


def _write_crontab(table: str) -> None:
    done = _run("crontab", "-", text=table)
    if done.returncode:
        raise _failed("crontab", done)


# ---- systemd ------------------------------------------------


@dataclass(frozen=True, slots=True)
class Manager:
    """The systemd that runs the units: the machine's for root, otherwise the user's own."""

    folder: Path
    command: tuple[str, ...]
    of_user: bool


def manager() -> Manager:
    """Return the systemd to which this user may give units."""
    if os.geteuid() == 0:
        return Manager(SYSTEM_UNITS, ("systemctl",), of_user=False)
    return Manager(Path.home() / ".config" / "systemd" / "user", ("systemctl", "--user"), of_user=True)


def unit_files(settings: Settings, where: Manager) -> dict[Path, str]:
    """Return the units to put in place. Without key files of root's the keys are in .env."""
    key_files = not where.of_user and units.key_folder(settings).is_dir()
    texts = units.units(settings, of_user=where.of_user, key_files=key_files)
    return {where.folder / name: text for name, text in texts.items()}


def put_units(settings: Settings, where: Manager) -> list[Path]:
    """Write the units, let systemd read them and start the timers; return the files."""
    files = unit_files(settings, where)
    fix = Fix(f"make the folder writable: ls -ld {where.folder.parent} {where.folder}")
    with as_storage_error(f"cannot write units to {where.folder}", fix):
        where.folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            write_atomically(file, text, _UNIT_MODE)
    _systemctl(where, "daemon-reload")
    _systemctl(where, "enable", "--now", *_timers(files))
    return list(files)


def remove_units(settings: Settings, where: Manager) -> bool:
    """Stop the timers and delete the units of this account; return whether there were any."""
    files = [file for file in unit_files(settings, where) if file.exists()]
    if not files:
        return False
    if timers := _timers(files):
        _systemctl(where, "disable", "--now", *timers)
    with as_storage_error("cannot remove units", Fix(f"make the folder writable: ls -ld {where.folder}")):
        for file in files:
            file.unlink()
    _systemctl(where, "daemon-reload")
    return True


def _timers(files: dict[Path, str] | list[Path]) -> list[str]:
    return [file.name for file in files if file.suffix == ".timer"]


def _systemctl(where: Manager, *words: str) -> None:
    done = _run(*where.command, *words)
    if done.returncode:
        raise _failed(" ".join([*where.command, *words]), done)


# ---- other programs ------------------------------------------------


def _run(program: str, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    found = shutil.which(program)
    if found is None:
        message = f"the program {program} is not installed"
        raise UsageError(message, Fix(command("install --print"), " shows the lines for another scheduler"))
    try:
        return subprocess.run(
            [found, *words], input=text or "", capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"{program} cannot be run: {error}"
        raise StorageError(
            message, Fix("try again, or put the lines of ", command("install --print"), " in place")
        ) from error


def _failed(what: str, done: subprocess.CompletedProcess[str]) -> StorageError:
    answer = (done.stderr or done.stdout).strip() or f"it ended with {done.returncode}"
    return StorageError(
        f"{what}: {answer}",
        Fix("fix that, or put the lines of ", command("install --print"), " in place by hand"),
    )

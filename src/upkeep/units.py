"""The lines that make cron or systemd start the program here, with the real paths of this folder.

Printing changes nothing on the machine. Each profile gets a minute of its own, so that many do not start at
once.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import pwd
import shlex
import shutil
import sys
import zlib
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from src.config import FILE_SECRETS, ROOT, SECRETS, Settings, env_path, from_environment
from src.domain.model_choice import OwnFolder
from src.model import choose
from src.x.claim import folders, title

STOP_SECONDS = 60  # TERM, and so much later KILL
SPARE_SECONDS = 120  # beyond the run's own deadline
CRON_PATH = "/usr/local/bin:/usr/bin:/bin"
# What a run takes beside the weights (Python, torch, 16 texts) with room to spare, and how often the weights:
# they are read from the file and may be copied into another number format.
MEMORY_BASE_MB = 750
MEMORY_PER_WEIGHTS = {"bfloat16": 2, "float32": 3}
_MEMORY_STEP = 256 << 20
EMBEDDED_WEIGHTS_MB = 135  # of the embedded model, where nothing is installed yet
MAINTAIN_HOUR = 3
PROFILE_MINUTES = 5  # within which the profiles start that share a wanted time
MOST_STARTS = 12  # in an hour; for more distinct minutes every fifth minute does
_SAMPLE = datetime(2026, 1, 1, tzinfo=UTC)
_AFTER_NETWORK = """\
Wants=network-online.target
After=network-online.target
"""
# A user's own systemd may not do these.
_HARDENING_BY_ROOT = """\
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
PrivateUsers=yes
PrivateIPC=yes
PrivateMounts=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
KeyringMode=private
RemoveIPC=yes
"""
_HARDENING = """\
LimitCORE=0
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
UMask=0077
"""


def start_minutes(settings: Settings, zone: tzinfo = UTC) -> list[int]:
    """Return the minutes of an hour, by the clock of `zone`, at which this account starts.

    In an interval it starts early, and each profile at another minute. At wanted times it starts with them,
    a profile up to four minutes later, in every hour of the day: an hour later a run makes up for one that
    failed.
    """
    schedule = settings.schedule
    mark = zlib.crc32(settings.profile.encode())
    if not schedule.times:
        span = min(schedule.interval, 60)
        first = 1 + mark % (span * 3 // 4) if settings.profile else min(7, span // 2)
        return list(range(first, 60, span))
    offset = mark % PROFILE_MINUTES if settings.profile else 0
    year = schedule.between(_SAMPLE, _SAMPLE + timedelta(days=366))
    minutes = sorted({(slot.start.astimezone(zone).minute + offset) % 60 for slot in year})
    return minutes if len(minutes) <= MOST_STARTS else list(range(offset, 60, PROFILE_MINUTES))


def local_zone() -> tzinfo:
    """Return the time zone of this machine, by which cron starts."""
    name = os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


# ---- cron ------------------------------------------------


def cron(settings: Settings) -> str:
    """Return the lines for a crontab. `timeout` ends a run that hangs.

    Success prints nothing, so cron mails only problems.
    """
    minutes = ",".join(map(str, start_minutes(settings, local_zone())))
    line = (
        f"cd {shlex.quote(str(ROOT))} && {_environment_words()}{_timeout_words(settings)}{_program(settings)}"
    )
    line = line.replace("%", r"\%")  # cron's own mark for a line break
    return (
        "\n".join(
            [
                *_notes(settings),
                f"# {title(settings.profile)}: post, and once a day look after the database",
                f"{minutes} * * * * {line}",
                f"{_maintain_minute(settings, local_zone())} {MAINTAIN_HOUR} * * * {line} maintain",
            ]
        )
        + "\n"
    )


def _maintain_minute(settings: Settings, zone: tzinfo = UTC) -> int:
    """Return a minute far from those of the posts: two later where they are many, else half an hour."""
    starts = start_minutes(settings, zone)
    if len(starts) == 1:
        return (starts[0] + 30) % 60
    if not settings.schedule.times:
        return (starts[0] + 2) % 60
    gaps = [((b - a) % 60, a) for a, b in itertools.pairwise([*starts, starts[0]])]
    widest, begin = max(gaps)
    return (begin + widest // 2) % 60


def _limit(settings: Settings) -> int:
    return settings.deadline_seconds + SPARE_SECONDS


def _program(settings: Settings) -> str:
    words = [sys.executable, "-m", "src.twitter_manager"]
    return shlex.join([*words, "--profile", settings.profile] if settings.profile else words)


def _environment_words() -> str:
    """Return `env NAME=value ` with a PATH and what is set in this shell and cron would not know.

    A PATH= line of its own would also hold for every line of the owner's that follows.
    """
    shown, _ = from_environment()
    values = {"PATH": CRON_PATH, **shown}
    return "env " + " ".join(f"{name}={shlex.quote(value)}" for name, value in values.items()) + " "


def _timeout_words(settings: Settings) -> str:
    """Return what ends a run that hangs; empty where the machine has no `timeout`, as macOS."""
    if shutil.which("timeout", path=CRON_PATH) is None:
        return ""
    return f"timeout -k {STOP_SECONDS} {_limit(settings)} "


def _notes(settings: Settings) -> list[str]:
    """Return what the owner must know before using what is printed, as comments."""
    notes = []
    _, secret = from_environment()
    if secret:
        file = env_path(settings.profile)
        unseen = "set in this shell only, which neither cron nor systemd sees"
        notes.append(f"# {', '.join(secret)}: {unseen}: put them into {file}")
    if _owner(settings) == "root":
        advice = "Better give it to a user of its own (chown -R), and print again as that user."
        notes.append(f"# This folder belongs to root. {advice}")
    return notes


# ---- systemd ------------------------------------------------


def units(settings: Settings, *, of_user: bool = False, key_files: bool = True) -> dict[str, str]:
    """Return service and timer for the posts and for the daily maintenance, by file name.

    `of_user`: for the systemd of one user, not the machine's. `key_files`: the keys are in files of root's.
    """
    name = f"twitter_manager-{settings.profile}" if settings.profile else "twitter_manager"
    posts = ",".join(f"{m:02}" for m in start_minutes(settings))
    delay = _delay(settings)
    daily = f"{MAINTAIN_HOUR:02}:{_maintain_minute(settings):02}"
    keys = _credentials(settings) if key_files and not of_user else ""
    post = service(settings, "post one tweet if one is due", "", keys=keys, of_user=of_user)
    maintain = service(settings, "back up and tidy the database", "maintain", of_user=of_user)
    return {
        f"{name}.service": post,
        f"{name}.timer": timer(settings, "post once in each slot", f"*-*-* *:{posts}:00 UTC", delay),
        f"{name}-maintain.service": maintain,
        f"{name}-maintain.timer": timer(
            settings, "look after the database once a day", f"*-*-* {daily}:00", delay
        ),
    }


def _delay(settings: Settings) -> int:
    """Return by how many seconds a timer may be late: a wanted time is met within the minute."""
    return 30 if settings.schedule.times else min(settings.schedule.interval, 60) * 5


def timer(settings: Settings, words: str, calendar: str, delay_seconds: int) -> str:
    """Return a timer that makes up, once, for starts missed while the machine was off.

    Its delay keeps many accounts from starting in the same second.
    """
    return f"""\
[Unit]
Description={title(settings.profile)}: {words}

[Timer]
OnCalendar={calendar}
Persistent=true
RandomizedDelaySec={delay_seconds}
FixedRandomDelay=true
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


def service(settings: Settings, words: str, command: str, *, keys: str = "", of_user: bool = False) -> str:
    """Return a service that runs one command, shut in as far as the program and this systemd allow.

    OOMPolicy: when memory is short, the kernel ends the model's process; that costs no tweet.
    """
    shown, _ = from_environment()
    environment = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in shown.items())
    program = " ".join(map(_escaped, shlex.split(_program(settings)))) + (f" {command}" if command else "")
    return f"""\
# Made by: {_program(settings)} install --print
{"".join(f"{note}{chr(10)}" for note in _notes(settings))}[Unit]
Description={title(settings.profile)}: {words}
Documentation={(ROOT / "README.md").as_uri().replace("%", "%%")}
{"" if of_user else _AFTER_NETWORK}
[Service]
Type=oneshot
{"" if of_user else f"User={_owner(settings)}{chr(10)}"}WorkingDirectory={str(ROOT).replace("%", "%%")}
ExecStart={program}
TimeoutStartSec={_limit(settings)}
TimeoutStopSec={STOP_SECONDS}
Nice=10
MemoryMax={memory_max(*_weights(settings))}
OOMPolicy=continue
TasksMax=64
{environment}{keys}
# What the program may see and do: its own folders, the network, nothing else. Only MemoryDenyWriteExecute is
# missing: torch compiles for the processor it runs on, and under it the model writes nothing.
{_HARDENING}{"" if of_user else _HARDENING_BY_ROOT + _folders(settings)}"""


def memory_max(weights_bytes: int, dtype: str = "bfloat16") -> str:
    """Return the memory that a run may take with a model of this size that computes in `dtype`."""
    times = MEMORY_PER_WEIGHTS.get(dtype, max(MEMORY_PER_WEIGHTS.values()))
    needed = MEMORY_BASE_MB * 1_000_000 + times * weights_bytes
    return f"{math.ceil(needed / _MEMORY_STEP) * _MEMORY_STEP >> 20}M"


def _weights(settings: Settings) -> tuple[int, str]:
    """Return size and number format of the model that writes, of the embedded one where none is installed."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # `check` says what is wrong with it
        choice = settings.model_choice
        folder = choice.path if isinstance(choice, OwnFolder) else choose.folder_in_use(settings)
        if folder:
            model = choose.Model.recorded(folder, choice.name)
            return sum(file.stat().st_size for file in folder.glob("*.safetensors")), model.dtype
    return EMBEDDED_WEIGHTS_MB * 1_000_000, "bfloat16"


def key_folder(settings: Settings) -> Path:
    """Return the folder of root's in which a unit looks for the keys, each in a file."""
    return Path("/etc/twitter_manager") / settings.profile


def _credentials(settings: Settings) -> str:
    """Return the lines that hand the keys to the service; maintenance does without."""
    folder = key_folder(settings)
    names = [name.lower() for name in (FILE_SECRETS if settings.twitter_client_secret else SECRETS)]
    loads = [f"LoadCredential={name}:{folder / name}" for name in names]
    advice = f"With the keys in .env instead, remove these {2 * len(names)} lines."
    words = f"# Each key in a file that only root can read. {advice}"
    return (
        "\n".join(["", words, *loads, *(f"Environment={name.upper()}_FILE=%d/{name}" for name in names)])
        + "\n"
    )


def _folders(settings: Settings) -> str:
    """Return the lines on folders: everything is read-only but the account's own data and logs."""
    own = folders(settings)
    fixed = [
        p
        for p in (settings.models_dir, ROOT / "data" / "library", ROOT / "data" / "adapter")
        if p.is_relative_to(settings.data_dir)
    ]
    needed = [
        *own,
        env_path(settings.profile),
        ROOT,
        Path(sys.executable),
        Path(sys.base_prefix),
        settings.models_dir,
        *settings.library_paths,
    ]
    homes = (Path("/home"), Path("/root"), Path("/run/user"))
    at_home = any(path.resolve().is_relative_to(home) for path in needed for home in homes)
    lines = [
        f"ProtectHome={'read-only' if at_home else 'yes'}",
        "# These folders must be there before the first start: the command check makes them.",
        f"ReadWritePaths={' '.join(map(_quoted, map(str, own)))}",
    ]
    if fixed:
        lines.append(f"ReadOnlyPaths={' '.join(f'-{_quoted(str(path))}' for path in fixed)}")
    return "\n".join(lines) + "\n"


def _escaped(word: str) -> str:
    """Quote one word of a command line of systemd's."""
    return _quoted(word).replace("$", "$$")


def _quoted(word: str) -> str:
    """Quote one word of a setting of systemd's that may hold spaces."""
    word = word.replace("\\", "\\\\").replace("%", "%%")
    return '"' + word.replace('"', r"\"") + '"' if any(c in word for c in " \"';\\") else word


def _owner(settings: Settings) -> str:
    """Return the owner of the account's files: the user that must run the program."""
    uid = settings.data_dir.stat().st_uid if settings.data_dir.exists() else os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)

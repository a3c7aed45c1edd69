"""`check`: try every part of the program; the most severe failure decides the exit code."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from src import config, db_manager
from src.commands.arguments import Parser
from src.commands.command import Command, Context
from src.commands.result import Result
from src.config import Settings
from src.content import choice, library, safety
from src.content.freshness import FAR_HORIZON_DAYS, supply
from src.domain import model_choice, money, reasons
from src.domain.answers import Outcome, Profile
from src.domain.errors import (
    AccountError,
    BusyError,
    ConfigError,
    ModelError,
    NoContentError,
    ProgramError,
    StorageError,
    TemporaryError,
)
from src.domain.fixes import Fix, command, env_file, line
from src.domain.logins import RenewableLogin
from src.domain.plurals import numbered
from src.domain.posts import Status
from src.domain.texts import History
from src.model import choose, client, placement
from src.model.choose import Model
from src.model.voice import voice_of
from src.posting import past
from src.posting.history import MOST_TWEETS
from src.system import access, profiles
from src.system.clock import Clock
from src.system.lock import sole_writer
from src.watch import alerts, costs
from src.watch.status import lasts_text
from src.x import account_name, credentials, key_signs
from src.x.claim import claim_account, fix_text, folders, require_closed_folders

FIX_ASK_AGAIN = Fix("type the same again in a few minutes")
_NO_POSTS = {Status.DRAFT, Status.APPROVED, Status.REJECTED}  # texts that were never to be sent, or not yet


def configure(parser: Parser) -> None:
    """Add the question to X."""
    parser.add_argument(
        "--online", action="store_true", help="also ask X whether the keys may post (one small read)"
    )


def run(context: Context) -> Result:
    """Try every part, also after one has failed."""
    rows = [_row(name, probe, context.settings.profile) for name, probe in _probes(context)]
    lines = [line for row in rows for line in _lines(row)]
    data: dict[str, object] = {"parts": rows}
    failed = sorted((row for row in rows if not row["ok"]), key=lambda row: -row["exit_code"])
    if failed:
        names = ", ".join(row["part"] for row in rows if not row["ok"])
        data |= {"message": f"{len(failed)} of {len(rows)} parts failed: {names}", "fix": failed[0]["fix"]}
    return Result(data, "\n".join(lines), max(row["exit_code"] for row in rows))


def _row(name: str, probe: Callable[[], str], profile: str) -> dict[str, Any]:
    """Return the finding on one part, as it is printed with --json."""
    try:
        return {"part": name, "ok": True, "says": probe(), "exit_code": 0}
    except ProgramError as error:
        fix = fix_text(error.fix, profile)
        return {
            "part": name,
            "ok": False,
            "says": str(error),
            "fix": fix,
            "exit_code": int(error.exit_code),
        }


def _lines(row: dict[str, Any]) -> Iterator[str]:
    yield f"{'ok  ' if row['ok'] else 'FAIL'}  {row['part']:<12} {row['says']}"
    if row.get("fix"):
        yield f"      {'':<12} fix: {row['fix']}"


def _probes(context: Context) -> Iterator[tuple[str, Callable[[], str]]]:
    settings, clock = context.settings, context.clock
    yield "credentials", lambda: _check_credentials(settings, clock.now())
    yield "folders", lambda: check_folders(settings)
    yield "database", lambda: _check_database(settings)
    yield "library", lambda: _check_library(settings, clock.now())
    yield "cost", lambda: costs.as_text(costs.monthly(settings), settings)
    if len(sharing := _profiles(settings)) > 1:
        yield "profiles", lambda: _check_profiles(settings, sharing)
    if settings.alert_urls:
        yield "alerts", lambda: _check_alerts(settings)
    located = functools.cache(lambda: choose.locate(settings))  # it reads gigabytes for the checksums
    yield "model", lambda: _check_model(settings, located)
    if not (settings.model_left_out or isinstance(settings.model_choice, model_choice.Embedded)):
        yield "device", lambda: _check_device(settings, located)
    if not settings.database.exists():
        yield "first steps", _first_steps
    if context.options.online:
        yield "account", lambda: _check_online(settings, clock)


def _first_steps() -> str:
    """Return what X asks of the account of a program; the row `cost` advises on the pace."""
    return (
        "X asks for the label that names the managing account (Settings, Your account, Automation), a bio"
        " that says that it is a bot and who runs it, and credits with a spending limit"
        " (https://console.x.com)"
    )


def _check_credentials(settings: Settings, now: datetime) -> str:
    credentials.require(settings)
    if faults := key_signs.faults(settings):
        fix = Fix("copy each from the X developer portal into ", env_file(), ", the value alone, on one line")
        raise ConfigError("; ".join(faults), fix)
    claim_account(settings)
    if settings.login is None:
        return "all four keys are set"
    if end := credentials.lapses_at(settings.login, now):
        message = f"the login at X ends on {end:%F} unless a run renews it"
        raise TemporaryError(message, credentials.FIX_LOGIN)
    return credentials.described(settings)


def check_folders(settings: Settings) -> str:
    """Make the folders. Raise where others may write to them, or where this user may not."""
    for folder in folders(settings):
        _make(folder)
    require_closed_folders(settings)
    access.require_usable([*folders(settings), *_kept_files(settings)], folders(settings))
    for folder in folders(settings):
        access.require_own_group(folder)
    return f"{settings.data_dir} and {settings.log_dir} are writable"


def _kept_files(settings: Settings) -> Iterator[Path]:
    """Yield the files and folders that a run opens again; a folder of data may hold others, read only."""
    yield from settings.data_dir.glob(f"{settings.database.name}*")
    yield from settings.data_dir.glob("backups")
    yield from settings.data_dir.glob("alerts.json")
    yield from settings.log_dir.glob("*.log")


def _make(folder: Path) -> None:
    """Make a folder if it is missing. Raise `StorageError` if that is impossible."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        message = f"{folder} cannot be made: {error.strerror}"
        fix = Fix("name a folder on a disk of this machine in ", env_file(), " (DATA_DIR, LOG_DIR)")
        raise StorageError(message, fix) from error


def _check_database(settings: Settings) -> str:
    db = db_manager.open_for_reading(settings.database)
    if db is None:
        return "not made yet; the first run makes it"
    with contextlib.closing(db):
        kept = db.archive.count_by_status()
        posts = sum(number for status, number in kept.items() if status not in _NO_POSTS)
        drafts = kept.get(Status.DRAFT, 0)
        counted = f"{numbered(posts, 'post')}, {numbered(drafts, 'draft that waits', 'drafts that wait')}"
        return f"{settings.database} is sound, {counted}"


def _check_library(settings: Settings, now: datetime) -> str:
    loaded = library.load(settings.library_paths)
    safety.read_words(settings.blocklist_file)
    if loaded.problems:
        first, more = str(loaded.problems[0]), len(loaded.problems) - 1
        message = first + (f" (and {numbered(more, 'more problem')})" if more else "")
        raise ConfigError(message, Fix("type: ", line("sources check")))
    if not loaded.statements:
        message = "the library is empty"
        raise NoContentError(message, library.FIX_EMPTY)
    history = History()
    if db := db_manager.open_for_reading(settings.database):
        with contextlib.closing(db):
            history = past.history_of(db, settings, now)
    statements = choice.wanted(settings, loaded)
    left = supply(settings, statements, history, now, FAR_HORIZON_DAYS)
    topics = numbered(len(loaded.topics), "topic")
    if settings.topics:
        topics = f"{len({s.topic for s in statements})} of {topics}"
    stock = f"{numbered(len(statements), 'statement')} in {topics}"
    return f"{stock}; at {settings.schedule.posts_per_day:.3g} a day {lasts_text(left, settings)}"


def _profiles(settings: Settings) -> dict[str, Settings]:
    """Return the settings of all accounts of this machine that can post, by the name of their profile."""
    found = {settings.profile: settings}
    home = settings.data_dir.parent.parent if settings.profile else settings.data_dir
    for name in ["", *profiles.names(home)]:
        with contextlib.suppress(ProgramError):  # its own `check` says what is wrong with it
            other = config.load(profile=name)
            if name not in found and not credentials.applied(other).missing_credentials:
                found[name] = other
    return found


def _check_profiles(settings: Settings, sharing: Mapping[str, Settings]) -> str:
    """Raise where all profiles together post more than the library has statements for."""
    days = settings.accounts_apart_days
    if not days:
        return f"{len(sharing)} accounts; ACCOUNTS_APART_DAYS is 0, so they may post the same statements"
    stock = len(choice.wanted(settings, library.load(settings.library_paths)))
    wanted = sum(other.schedule.posts_per_day for other in sharing.values())
    carried = stock / (days + 1)
    words = f"{len(sharing)} accounts want {wanted:.3g} posts a day and keep {days} days apart"
    if wanted > carried:
        message = f"{words}, but {numbered(stock, 'statement')} carry {carried:.3g} a day"
        fix = Fix(
            f"post at most {carried / len(sharing):.2g} a day in each (POSTS_PER_DAY), or add statements"
        )
        raise NoContentError(message, fix)
    return f"{words}; {numbered(stock, 'statement')} carry {carried:.3g} a day"


def _check_alerts(settings: Settings) -> str:
    count = alerts.require_readable(settings)
    tried = fix_text(Fix(command("alerts test"), " sends a test"), settings.profile)
    return f"{numbered(count, 'address', 'addresses')} for alerts; {tried}"


def _check_model(settings: Settings, located: Callable[[], Model]) -> str:
    if left_out := settings.model_left_out:
        role = model_choice.role(settings.mode_in_force, settings.openings, left_out)
        return f"the model {role}; vetted openings lead"
    model = located()
    if model.note:
        raise ModelError(model.note, model.fix)
    barriers = client.barriers()
    if not barriers:
        message = (
            f"{model.name} is sound, but its process keeps the network: this kernel refuses every barrier"
        )
        raise ModelError(message, Fix("run on Linux with seccomp, or cut the network off outside"))
    voice_of(settings)  # raises where VOICE cannot be read
    sound = f"{model.name} is installed, its files are sound, and its process has no network"
    mode = client.mode_for(settings, model)
    advice = (
        "" if mode == "hook" or settings.require_approval else "; set REQUIRE_APPROVAL=true and read each"
    )
    return f"{sound}; it {model_choice.role(mode, settings.openings, '')}{advice}"


def _check_device(settings: Settings, located: Callable[[], Model]) -> str:
    try:
        model = located()
    except ModelError:  # the row `model` says why
        return "not asked: there is no model that could write"
    return placement.check(settings, embedded=model.embedded)


def _check_online(settings: Settings, clock: Clock) -> str:
    if settings.missing_credentials:
        return "skipped: X was not asked, there are no keys yet"
    from src.twitter_handler import XClient  # noqa: PLC0415 (tweepy is slow to load)
    from src.x.responses import FIX_WRITE  # noqa: PLC0415 (the same)

    with contextlib.ExitStack() as stack:
        if isinstance(settings.login, RenewableLogin):  # which another run may be renewing
            stack.enter_context(sole_writer(settings.database))
        account = XClient(settings, clock.now)
        result, level = account.access_level()
    if result.outcome is Outcome.NOT_SENT:
        message = f"X could not be reached: {result.detail or result.reason}"
        raise TemporaryError(message, result.fix)
    if result.outcome is not Outcome.DONE:
        if result.http_status is None:
            message = f"X gave no answer: {result.detail or result.reason}"
            raise TemporaryError(message, FIX_ASK_AGAIN)
        message = f"X answered {result.http_status}: {reasons.of_answer(result.reason, result.detail)}"
        raise AccountError(message, result.fix)
    if level and "write" not in level:
        message = f"the access token may only {level}"
        raise AccountError(message, FIX_WRITE)
    ended = _end_refusals(settings, clock)
    reads_history = _has_history_to_read(settings)
    profile = Profile()
    if reads_history or not account_name.known(settings):
        profile = account.profile()
        account_name.keep(settings, profile.name)
    cost = _cost_of_history(settings, profile.tweets) if reads_history else ""
    of = f" of {account_name.known(settings)}" if account_name.known(settings) else ""
    return f"X accepts the keys{of}; access level {level or 'not told'}{ended}{cost}"


def _end_refusals(settings: Settings, clock: Clock) -> str:
    """End the wait after refusals, since X accepts the keys; return what to say of it."""
    if not settings.database.exists():
        return ""
    with contextlib.suppress(BusyError), db_manager.locked_database(settings.database, clock.now()) as db:
        if hold := db.notes.end_refusals():
            return f"; the wait after {numbered(hold.count, 'refusal')} is over"
    return ""


def _has_history_to_read(settings: Settings) -> bool:
    """Return whether the account's history is still to be read into a new database."""
    db = db_manager.open_for_reading(settings.database)
    if db is None:
        return True
    with contextlib.closing(db):
        return db.notes.get("cold_start") is not None


def _cost_of_history(settings: Settings, counted: int | None) -> str:
    """Return what reading the account's history will cost at most, by X's own count if it tells it."""
    tweets = MOST_TWEETS if counted is None else min(counted, MOST_TWEETS)
    price = money.total(tweets * settings.price_read_usd)
    has = "" if counted is None else f"; the account has {numbered(counted, 'tweet')}"
    return f"{has}; the first run reads the newest {tweets:,} of its tweets at most, for {price}"


COMMAND = Command("check", "check settings, database, model and library; say what to fix", run, configure)

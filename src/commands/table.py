"""The commands around the tick: check, status, report, history, reconcile, model, sources. Each returns an exit code."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from src import db_manager
from src.config import Settings
from src.content import library as sources
from src.content import safety
from src.domain.answers import Outcome, Tweet, tweet_url
from src.domain.errors import AccountError, ConfigError, ModelError, ProgramError, StorageError, UsageError
from src.domain.logins import RenewableLogin
from src.domain.posts import Post, Status
from src.domain.runs import Exit
from src.model import choose
from src.posting.reconcile import reconcile as reconcile_open
from src.posting.run import LazyAccount, Run, no_text
from src.system import log
from src.system.clock import Clock
from src.system.files import write_atomically
from src.system.lock import sole_writer
from src.watch.health import exit_code
from src.x import credentials
from src.x.claim import claim_account, folders, named

NUMBERS_MODE = 0o644  # numbers only, and node_exporter is another user
Command = Callable[[argparse.Namespace, Settings, Clock, str], int]


def show(data: object, text: str, *, as_json: bool) -> None:
    """Print a result: JSON for programs, sanitised text for people."""
    if as_json:
        print(json.dumps(data, indent=1, default=str))
    else:
        print("\n".join(log.sanitise(line) for line in text.splitlines()))


# ---- check -----------------------------------------------------------------------------------------------------


def check(options: argparse.Namespace, settings: Settings, clock: Clock, _run: str) -> int:
    """Try every part; the gravest failure decides the exit code."""
    rows: list[dict[str, Any]] = []
    for name, probe in _probes(options, settings, clock):
        try:
            rows.append({"part": name, "ok": True, "says": probe(), "exit_code": 0})
        except ProgramError as error:
            fix = named(error.fix, settings.profile)
            rows.append(
                {"part": name, "ok": False, "says": str(error), "fix": fix, "exit_code": int(error.exit_code)}
            )
    lines = []
    for row in rows:
        lines.append(f"{'ok  ' if row['ok'] else 'FAIL'}  {row['part']:<12} {row['says']}")
        if row.get("fix"):
            lines.append(f"      {'':<12} fix: {row['fix']}")
    show(rows, "\n".join(lines), as_json=options.json)
    return max((row["exit_code"] for row in rows), default=0)


def _probes(
    options: argparse.Namespace, settings: Settings, clock: Clock
) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "credentials", lambda: _check_credentials(settings, clock.now())
    yield "folders", lambda: _check_folders(settings)
    yield "database", lambda: _check_database(settings)
    yield "library", lambda: _check_library(settings)
    yield "model", lambda: _check_model(settings)
    if options.online:
        yield "account", lambda: _check_online(settings, clock)


def _check_credentials(settings: Settings, now: datetime) -> str:
    credentials.require(settings)
    claim_account(settings)
    if settings.login is None:
        return "all four keys are set"
    if end := credentials.lapses_at(settings.login, now):
        message = f"the login at X ends on {end:%F} unless a run renews it"
        raise ProgramError(message, credentials.FIX_LOGIN)
    return credentials.described(settings)


def _check_folders(settings: Settings) -> str:
    for folder in folders(settings):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            message = f"{folder} cannot be made: {error.strerror}"
            raise StorageError(
                message, "name a folder on a disk of this machine in .env (DATA_DIR, LOG_DIR)"
            ) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            message = f"{folder} is not writable"
            raise StorageError(message, f"type: chmod u+wx {folder}")
    return f"{settings.data_dir} and {settings.log_dir} are writable"


def _check_database(settings: Settings) -> str:
    db = db_manager.open_for_reading(settings.database)
    if db is None:
        return "not made yet; the first run makes it"
    with contextlib.closing(db):
        return f"{settings.database} is sound, {db.archive.count_posts()} posts"


def _check_library(settings: Settings) -> str:
    library = sources.load(settings.library_paths)
    safety.read_words(settings.blocklist_file)
    if not library.statements or library.problems:
        message = f"{len(library.statements)} statements, {len(library.problems)} broken records"
        raise ProgramError(message, "type: python -m src.twitter_manager sources check")
    return f"{len(library.statements)} statements in {len(library.topics)} topics"


def _check_model(settings: Settings) -> str:
    found = choose.locate(settings)
    if found.note:
        raise ModelError(*found.note.rsplit("; ", 1))
    return f"{found.name} is installed and its files are sound"


def _check_online(settings: Settings, clock: Clock) -> str:
    from src.twitter_handler import XClient  # noqa: PLC0415
    from src.x.responses import FIX_WRITE  # noqa: PLC0415

    with contextlib.ExitStack() as stack:
        if isinstance(settings.login, RenewableLogin):  # which another run may be renewing
            stack.enter_context(sole_writer(settings.database))
        result, level = XClient(settings, clock.now).access_level()
    if result.outcome is not Outcome.DONE:
        raise AccountError(
            f"X answered {result.http_status or result.reason}: {result.detail or result.reason}", result.fix
        )
    if level and "write" not in level:
        raise AccountError(f"the access token may only {level}", FIX_WRITE)
    return f"X accepts the keys; access level {level or 'not told'}"


# ---- status, report, history -----------------------------------------------------------------------------------


def status(options: argparse.Namespace, settings: Settings, clock: Clock, _run: str) -> int:
    """One screen; the exit code says whether a person should look."""
    from src.watch import status as screen  # noqa: PLC0415

    overview, findings = screen.look(settings, clock.now())
    show(
        screen.as_data(overview, findings, settings),
        screen.as_text(overview, findings, settings, clock.now()),
        as_json=options.json,
    )
    return int(exit_code(findings))


def report(options: argparse.Namespace, settings: Settings, clock: Clock, _run: str) -> int:
    """Write the files that were asked for; else print the report of the last days. Raises `StorageError`."""
    from src.watch.report import measures, text  # noqa: PLC0415

    counted = measures.read(settings, clock.now(), options.days)
    if options.prometheus:
        from src.watch.report.prometheus import as_prometheus  # noqa: PLC0415 (a library that only this needs)

        write_atomically(Path(options.prometheus), as_prometheus(counted, settings), NUMBERS_MODE)
    if options.html:
        from src.watch.report.page import as_html  # noqa: PLC0415 (the same)

        write_atomically(Path(options.html), as_html(counted, settings))
    written = [file for file in (options.prometheus, options.html) if file]
    if options.json:
        print(json.dumps(measures.as_data(counted, settings), default=str))
    elif not written:
        print("\n".join(map(log.sanitise, text.as_text(counted, settings).splitlines())))
    elif sys.stdout.isatty():
        print(log.sanitise(f"wrote {' and '.join(written)}"))
    return 0


def history(options: argparse.Namespace, settings: Settings, _clock: Clock, _run: str) -> int:
    """The last posts, newest first."""
    db = db_manager.open_for_reading(settings.database)
    posts: list[Post] = []
    if db is not None:
        with contextlib.closing(db):
            posts = db.archive.history(options.n)
    data = [
        {
            "id": p.id,
            "status": p.status,
            "slot": p.slot,
            "posted_at": p.posted_at,
            "tweet_id": str(p.tweet_id or ""),
            "verified_at": p.verified_at,
            "origin": p.origin,
            "source_id": p.source_id,
            "content": p.content,
            "error": p.error_message,
        }
        for p in posts
    ]
    lines = []
    for post in posts:
        when = f"{post.posted_at:%F %R}" if post.posted_at else post.slot or "-"
        lines.append(
            f"{post.id:>5}  {when:<17} {post.status:<11} {tweet_url(post.tweet_id) if post.tweet_id else post.error_message or ''}"
        )
        lines += [f"       {line}" for line in post.content.splitlines() if line]
    show(data, "\n".join(lines) or "no posts yet", as_json=options.json)
    return 0


# ---- reconcile -------------------------------------------------------------------------------------------------


def reconcile(options: argparse.Namespace, settings: Settings, clock: Clock, run_id: str) -> int:
    """Settle unknown posts from the timeline, or one by the operator's word."""
    with db_manager.locked_database(settings.database, clock.now()) as db:
        app = Run(settings, db, LazyAccount(settings, clock), no_text, run_id, clock)
        db.recover(app.slot)
        settled = _settle_by_hand(app, options) if options.id else _settle_all(app)
        left = [p.id for state in (Status.UNKNOWN, Status.UNCONFIRMED) for p in db.with_status(state)]
    text = "\n".join([*settled, f"still open: {', '.join(map(str, left))}" if left else "nothing is open"])
    show({"settled": settled, "open": left}, text, as_json=options.json)
    return int(Exit.UNKNOWN) if left else 0


def _settle_all(app: Run) -> list[str]:
    before = app.db.with_status(Status.UNKNOWN)
    if before:
        credentials.require(app.settings)
    reconcile_open(app)
    return [
        f"post {p.id}: {app.db.post(p.id).status}"
        for p in before
        if app.db.post(p.id).status is not Status.UNKNOWN
    ]


def _settle_by_hand(app: Run, options: argparse.Namespace) -> list[str]:
    post = app.db.find_post(options.id)
    if post is None or post.status not in {Status.UNKNOWN, Status.UNCONFIRMED, Status.FAILED}:
        message = (
            f"post {options.id} is {post.status if post else 'not there'}; only an unknown one can be settled"
        )
        raise UsageError(message, "type: python -m src.twitter_manager history")
    if options.not_posted:
        app.db.prove_absent(post, "operator", free_slot=False)
    elif not app.db.confirm_posted(post, Tweet(options.posted, post.content), "operator", app.clock.now()):
        message = f"tweet {options.posted} belongs to another post already"
        raise UsageError(message, "look again at x.com: the last digits of the address are the tweet's id")
    return [f"post {post.id}: {app.db.post(post.id).status}"]


# ---- model and sources -----------------------------------------------------------------------------------------


def model(options: argparse.Namespace, settings: Settings, _clock: Clock, _run: str) -> int:
    """Install, update, tune, switch back or show the model that writes."""
    from src.commands import model as model_commands  # noqa: PLC0415

    show(*model_commands.run(options, settings), as_json=options.json)
    return 0


def evaluate(options: argparse.Namespace, settings: Settings, _clock: Clock, _run: str) -> int:
    """Write for many statements and count what the gates say."""
    from src.upkeep import evaluation  # noqa: PLC0415

    paths = (Path(options.sources),) if options.sources else settings.library_paths
    library = sources.load(paths)
    if not library.statements:
        message = f"no sound statement in {', '.join(map(str, paths))}"
        raise UsageError(message, "`sources check` lists what is wrong")
    report = evaluation.evaluate(settings, library.statements, options.n)
    show(report.as_data(), evaluation.as_text(report), as_json=options.json)
    return 0


def try_alerts(options: argparse.Namespace, settings: Settings, _clock: Clock, _run: str) -> int:
    """Send a test alert and a ping; say which arrived."""
    from src.watch import alerts  # noqa: PLC0415

    if not (settings.alert_urls or settings.ping_url):
        message = "neither ALERT_URLS nor PING_URL is set"
        raise ConfigError(message, "set one in .env; https://github.com/caronc/apprise lists the addresses")
    told = {}
    if settings.alert_urls:
        alert = alerts.Alert("new", "test", "This is a test. All is well.")
        told["alerts"] = alerts.deliver(settings, alert)
    if settings.ping_url:
        told["ping"] = alerts.ping(settings, "", "test")
    lines = [
        f"{name}: {'delivered' if good else 'NOT delivered, see the log'}" for name, good in told.items()
    ]
    show(told, "\n".join(lines), as_json=options.json)
    return 0 if all(told.values()) else int(Exit.TEMPORARY)


def undo(options: argparse.Namespace, settings: Settings, clock: Clock, _run: str) -> int:
    """Delete one of our tweets on X and record that."""
    credentials.require(settings)
    with db_manager.locked_database(settings.database, clock.now()) as db:
        post = db.find_post(options.id)
        if post is None or post.tweet_id is None:
            message = f"post {options.id} is not on X"
            raise UsageError(message, "`history` shows the posts and their ids")
        if not options.yes and not _confirmed(post):
            show({"deleted": False}, "nothing was deleted", as_json=options.json)
            return 0
        result = LazyAccount(settings, clock).delete(post.tweet_id)
        if result.outcome is not Outcome.DONE:
            reason = result.detail or result.reason
            raise AccountError(f"X did not delete {post.tweet_id}: {reason}", result.fix or "try again later")
        db.tweets.stamp_deleted(post, clock.now())
    show(
        {"deleted": True, "tweet_id": str(post.tweet_id)},
        f"deleted {tweet_url(post.tweet_id)}",
        as_json=options.json,
    )
    return 0


def _confirmed(post: Post) -> bool:
    print(log.sanitise(post.content.replace("\n", " ")))
    try:
        return input(f"Delete {tweet_url(post.tweet_id)}? Type yes: ").strip().lower() == "yes"
    except EOFError:
        return False


def drafts(options: argparse.Namespace, settings: Settings, clock: Clock, _run: str) -> int:
    """Write, list, show, approve, edit or reject drafts."""
    from src.commands import drafts as review  # noqa: PLC0415

    show(*review.run(options, settings, clock.now()), as_json=options.json)
    return 0


def maintain(options: argparse.Namespace, settings: Settings, clock: Clock, run_id: str) -> int:
    """Look after the database, its backups and the folders; silent without a terminal when all is well."""
    from src.upkeep import maintenance  # noqa: PLC0415

    report = maintenance.maintain(settings, clock, run_id)
    if options.json or (sys.stdout and sys.stdout.isatty() and not options.quiet):
        show(report.as_data(), report.as_text(), as_json=options.json)
    if report.trouble:
        raise report.trouble
    return 0


def restore(options: argparse.Namespace, settings: Settings, clock: Clock, _run: str) -> int:
    """Put a backup in the place of the database."""
    from src.upkeep import maintenance  # noqa: PLC0415

    show(
        *maintenance.restore(Path(options.file).expanduser().absolute(), settings, clock),
        as_json=options.json,
    )
    return 0


def install(options: argparse.Namespace, settings: Settings, _clock: Clock, _run: str) -> int:
    """Print the cron line and the systemd units."""
    from src.upkeep import units  # noqa: PLC0415

    show(*units.run(options, settings), as_json=options.json)
    return 0


def login(options: argparse.Namespace, settings: Settings, clock: Clock, _run: str) -> int:
    """Fetch tokens for the account and keep them."""
    from src.upkeep import login as x_login  # noqa: PLC0415

    show(*x_login.run(options, settings, clock), as_json=options.json)
    return 0


def completion(options: argparse.Namespace, settings: Settings, _clock: Clock, _run: str) -> int:
    """Print the script that completes in the owner's shell."""
    from src.commands import completion as shells  # noqa: PLC0415

    script = shells.script(options.shell, settings)
    print(json.dumps({"shell": options.shell, "script": script}) if options.json else script)
    return 0


def check_sources(options: argparse.Namespace, settings: Settings, _clock: Clock, _run: str) -> int:
    """Every broken record with file and line; counts per topic."""
    library = sources.load(settings.library_paths)
    safety.read_words(settings.blocklist_file)
    counts = {topic: sum(s.topic == topic for s in library.statements) for topic in library.topics}
    lines = [str(p) for p in library.problems]
    lines += [f"{count:>5}  {topic}" for topic, count in counts.items()]
    lines.append(
        f"{len(library.statements)} statements in {len(counts)} topics, {len(library.problems)} broken records"
    )
    show(
        {"problems": [str(p) for p in library.problems], "topics": counts},
        "\n".join(lines),
        as_json=options.json,
    )
    return int(Exit.CONFIG) if library.problems else 0


COMMANDS: dict[str, Command] = {
    "check": check,
    "status": status,
    "report": report,
    "history": history,
    "reconcile": reconcile,
    "model": model,
    "evaluate": evaluate,
    "drafts": drafts,
    "alerts": try_alerts,
    "undo": undo,
    "maintain": maintain,
    "restore": restore,
    "install": install,
    "completion": completion,
    "login": login,
    "sources": check_sources,
}

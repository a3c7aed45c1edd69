"""One tweet per slot: read what happened last, write, judge, post once, verify, record, exit.

`tick` is the whole program on one screen; `main` wires the parts, runs one command and turns its result into
an exit code. Success prints nothing without a terminal, so cron mails only problems.
"""

from __future__ import annotations

from src.system import requirements

requirements.refuse_unsupported()  # before anything that such a machine could not even import

from src.system import bytecode

bytecode.tell_at_start()

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from src import __version__, config, db_manager
from src.commands import parser
from src.config import Settings
from src.domain.answers import tweet_id_text
from src.domain.errors import BusyError, ConfigError, LockedError, ProgramError, UsageError
from src.domain.fixes import Fix
from src.domain.posts import Post
from src.domain.runs import Exit, Metric, RunOutcome, TickResult
from src.domain.texts import Composition, History
from src.posting import due, ending
from src.posting.afterwards import follow_up
from src.posting.reconcile import audit, reconcile
from src.posting.run import Compose, DryRunAccount, LazyAccount, Run
from src.posting.send import send
from src.system import core_dumps, failpoints, log, log_rotation, machine, terminal
from src.system.clock import Clock
from src.system.failpoints import reach
from src.system.log import logger
from src.system.usage import peak_usage
from src.watch.ping import ping
from src.x.claim import claim_account, fix_text, note_text, require_closed_folders, title

if TYPE_CHECKING:
    from src.watch.facts import Facts


INTERRUPTED = 130  # as a shell reports SIGINT


def tick(run: Run) -> TickResult:
    """Send at most one tweet. Every step is committed before the next, so that the process may die anywhere.

    1. Recover: a post that is still `sending` under the lock was left by a dead run and becomes `unknown`.
    2. Settle unknown posts from the timeline (no request unless there are some).
    3. Stop if no post is due: slot used, hold, caps, budget.
    4. Get a text: the one claimed for this slot, an approved draft, or a new one.
    5. Claim the slot, record the intent, send once, settle.
    """
    reach("tick.locked")
    run.phase("settle")
    run.db.recover(run.slot)
    reach("tick.recovered")
    if run.db.notes.get("cold_start"):
        from src.posting.history import cold_start  # noqa: PLC0415 (once in the life of a database)

        if closed := cold_start(run):
            return closed
    reconcile(run)
    audit(run)
    run.phase("due")
    ending.forget_refusals_of_other_keys(run)
    if not run.preview and (wait := ending.wait(run)):
        return wait.as_result()
    reach("tick.due")
    if refused := run.account.ready():
        return ending.cannot_sign(run, refused)
    from src.posting.next_text import next_post  # noqa: PLC0415 (an idle tick needs no gates)

    claimed = next_post(run)
    return ending.no_content(run) if claimed is None else ending.conclude(run, *send(run, claimed))


# ---- wiring ----------------------------------------------------------------------------------------------


def compose(settings: Settings, history: History, now: datetime, seconds: float) -> Composition:
    """Compose a text. Importing the composer waits until one is due."""
    from src import content_generator  # noqa: PLC0415

    return content_generator.compose(settings, history, now, seconds=seconds)


def compose_many(
    settings: Settings, history: History, now: datetime, count: int, seconds: float
) -> list[Composition]:
    """Compose several texts with one start of the model."""
    from src import content_generator  # noqa: PLC0415 (only a run that writes ahead needs it)

    return content_generator.compose_many(settings, history, now, count, seconds=seconds)


def write_openings(
    settings: Settings, texts: Sequence[tuple[str, str, str]], now: datetime, seconds: float
) -> Mapping[str, str]:
    """Let the model write openings above texts of feeds."""
    from src import content_generator  # noqa: PLC0415 (only a run that reads a feed needs it)

    return content_generator.write_openings(settings, texts, now, seconds=seconds)


def run_tick(settings: Settings, clock: Clock, run_id: str, composer: Compose = compose) -> TickResult:
    """Run one real tick: lock, database, account, record, alerts. Raises `ProgramError`."""
    try:
        with machine.refusals():
            result, facts = _locked_tick(settings, clock, run_id, composer)
        reach("tick.finished")
    except BusyError as busy:
        logger.info("tick.busy")
        return TickResult(Exit.OK, RunOutcome.BUSY, str(busy))
    except ProgramError as trouble:
        outcome = RunOutcome.LOCKED if isinstance(trouble, LockedError) else RunOutcome.TROUBLE
        _tell_owner(settings, TickResult(trouble.exit_code, outcome, str(trouble), trouble.fix), clock)
        raise
    except Exception as error:  # `main` says the rest; the owner hears of a bug as of any other failure
        bug = _bug(error)
        _tell_owner(settings, TickResult(bug.exit_code, RunOutcome.TROUBLE, str(bug), bug.fix), clock)
        raise
    _tell_owner(settings, result, clock, facts)
    return result


def _locked_tick(
    settings: Settings, clock: Clock, run_id: str, composer: Compose
) -> tuple[TickResult, Facts | None]:
    """Run a tick under the lock; return its result, and what it knows of the program's health."""
    _require_credentials(settings)
    require_closed_folders(settings)
    claim_account(settings)
    opening = clock.monotonic()
    with db_manager.locked_database(settings.database, clock.now()) as db:
        account = LazyAccount(settings, clock)
        run = Run(settings, db, account, composer, run_id, clock)
        run.write_many, run.write_openings = compose_many, write_openings
        run.metrics[Metric.OPEN_SECONDS] = round(clock.monotonic() - opening, 4)
        db.notes.keep_schedule(settings.schedule, run.started)
        db.journal.begin_run(run_id, "tick", run.slot, __version__, run.started)
        ping(settings, "/start")
        result = _recorded(run)
        follow_up(run)
        return result, _facts(run, result)


def _bug(error: Exception) -> ProgramError:
    """Return the error of the program for one that nobody expected."""
    return ProgramError(f"a bug: {type(error).__name__}: {error}", Fix(f"see {log.ERROR_FILE} and report it"))


def _tell_owner(settings: Settings, result: TickResult, clock: Clock, facts: Facts | None = None) -> None:
    """Send the alerts that are due, and ping the dead man's switch."""
    _alert(settings, facts, result, clock)
    _ping(settings, result)


def _facts(run: Run, result: TickResult) -> Facts | None:
    """Return what this run knows of the health of the program, None where nobody is told."""
    if not run.settings.alert_urls:
        return None
    from src.watch import run_facts  # noqa: PLC0415 (a run without ALERT_URLS never loads it)

    return run_facts.read(run, result)


def _alert(settings: Settings, facts: Facts | None, result: TickResult, clock: Clock) -> None:
    """Send the alerts that are due; without facts an error ended the run before it could look."""
    if not settings.alert_urls:
        return
    from src.watch import alerts  # noqa: PLC0415 (the same)
    from src.watch.facts import Facts  # noqa: PLC0415 (the same)

    alerts.watch(facts or Facts(failure=result), settings, clock.now())


def _require_credentials(settings: Settings) -> None:
    """Raise `ConfigError` if a credential is missing."""
    if settings.missing_credentials:
        from src.x import credentials  # noqa: PLC0415 (a run on keys in .env never loads it)

        credentials.require(settings)


def _ping(settings: Settings, result: TickResult) -> None:
    """Ping the dead man's switch after everything is committed; a failure never changes the run."""
    ping(settings, "" if result.exit_code is Exit.OK else "/fail", result.message)


def _measured(run: Run) -> dict[str, float]:
    run.phase("")
    run.metrics[Metric.SECONDS] = (run.clock.now() - run.started).total_seconds()
    run.metrics.update(peak_usage())
    return run.metrics


def _recorded(run: Run) -> TickResult:
    try:
        with machine.refusals():
            result = tick(run)
    except ProgramError as trouble:
        with contextlib.suppress(ProgramError):
            _record(run, TickResult(trouble.exit_code, RunOutcome.TROUBLE, str(trouble)))
        raise
    except Exception as error:
        with contextlib.suppress(ProgramError):
            _record(run, TickResult(Exit.BUG, RunOutcome.TROUBLE, str(_bug(error))))
        raise
    _record(run, result)
    return result


def _record(run: Run, result: TickResult) -> None:
    code, outcome, measured = result.exit_code, result.outcome, _measured(run)
    now = run.clock.now()
    run.db.journal.finish_run(run.run_id, code, outcome, result.message, measured, now, reason=result.reason)


def run_preview(
    settings: Settings, clock: Clock, run_id: str, composer: Compose = compose
) -> tuple[TickResult, Post | None, dict[str, float], due.Wait | None]:
    """Run a tick on an in-memory copy of the database with a simulated account.

    Return its result, its post, its metrics, and why a real run would not post it now (None: it would).
    """
    db = db_manager.open_for_reading(settings.database) or db_manager.empty_database(clock.now())
    with contextlib.closing(db):
        run = Run(settings, db, DryRunAccount(), composer, run_id, clock, preview=True)
        wait = ending.wait(run)
        result = tick(run)
        post = db.post(result.post_id) if result.post_id else None
        if post and settings.require_approval and post.approved_at is None:
            wait = wait or ending.unapproved(run)
        return result, post, _measured(run), wait


def carry_out(options: argparse.Namespace, settings: Settings, clock: Clock, run_id: str) -> int:
    """Carry out one parsed command and return its exit code."""
    if options.command:
        from src.commands import table  # noqa: PLC0415 (an hourly tick needs no command)

        return table.run(options, settings, clock, run_id)
    if options.dry_run:
        from src.commands import dry_run  # noqa: PLC0415 (an idle tick does not need the library that counts as X)

        return dry_run.show_preview(options, settings, *run_preview(settings, clock, run_id))
    result = run_tick(settings, clock, run_id)
    _tell_result(options, settings.profile, result)
    return int(result.exit_code)


def _tell_result(options: argparse.Namespace, profile: str, result: TickResult) -> None:
    """Report a run to the log, to a program with --json; to a person a failure, success on a terminal."""
    fix, code = fix_text(result.fix, profile), int(result.exit_code)
    notes = [note_text(note, profile) for note in result.notes]
    logger.log(
        logging.INFO if result.exit_code is Exit.OK else logging.ERROR,
        "tick",
        extra={
            "outcome": result.outcome,
            "reason": result.reason,
            "exit_code": code,
            "detail": result.message,
            "fix": fix,
            "post_id": result.post_id,
            "notes": notes,
        },
    )
    if options.json:
        told = {"exit_code": code, "fix": fix, "notes": notes, "tweet_id": tweet_id_text(result.tweet_id)}
        terminal.write_json(asdict(result) | told)
    elif result.exit_code is not Exit.OK:
        log.say(f"{title(profile)}: {result.message}" + (f"\n  fix: {fix}" if fix else ""))
    elif sys.stdout and sys.stdout.isatty() and not options.quiet:
        terminal.write(log.sanitise(result.message))


def _fill_standard_streams() -> None:
    """Open closed standard streams on /dev/null, so that the database never becomes descriptor 2."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code of the process."""
    try:
        return _main(list(sys.argv[1:] if arguments is None else arguments))
    finally:
        terminal.finish()


def _main(arguments: list[str]) -> int:
    os.umask(0o077)
    core_dumps.forbid()
    _fill_standard_streams()
    options = parser.parse(arguments)
    log.begin(-1 if options.quiet else options.verbose, colour=config.colour_allowed())
    run_id = os.urandom(4).hex()
    profile = config.profile_of(options.profile)
    try:
        with machine.refusals():
            settings = _start(run_id, Clock(), profile, logging_in=options.command == "login")
            return carry_out(options, settings, Clock(), run_id)
    except ProgramError as error:
        return _tell(options, profile, error, "trouble")
    except KeyboardInterrupt:
        if options.json:
            terminal.write_json({"message": "interrupted", "fix": "", "exit_code": INTERRUPTED})
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 (the last resort: one line to the person, the traceback to the log)
        logger.error("bug", exc_info=error)
        return _tell(options, profile, _bug(error))
    finally:
        log.finish()


def _tell(options: argparse.Namespace, profile: str, error: ProgramError, event: str = "") -> int:
    """Report an error to the log, to a person, and with --json to a program; return its exit code."""
    ending = {"fix": fix_text(error.fix, profile), "exit_code": int(error.exit_code)}
    if event:
        level = logger.info if isinstance(error, UsageError) else logger.error  # a typo is no failure
        level(event, extra={"message_text": str(error), **ending})
    log.say(f"{title(profile)}: {error}" + (f"\n  fix: {ending['fix']}" if error.fix else ""))
    if options.json:
        with contextlib.suppress(OSError):  # standard output may be what failed
            terminal.write_json({**error.data, "message": str(error), **ending})
    return int(error.exit_code)


def _start(run_id: str, clock: Clock, profile: str, *, logging_in: bool = False) -> Settings:
    """Load the settings and set up the logs, which also report invalid settings if their folder is known."""
    try:
        settings = config.load(profile=profile)
        try:
            settings = _with_login(settings)
        except ConfigError:
            if not logging_in:  # a login replaces a file of tokens that cannot be used
                raise
    except ProgramError:
        folder, secret_values = config.as_written(profile=profile)
        log.set_up(folder, "INFO", run_id, log.Redactor(secret_values))
        raise
    redactor = log.Redactor(settings.secret_values())
    log.install_excepthook(redactor)
    if trouble := log_rotation.rotate(settings.log_dir, settings.log_rules, clock.now()):
        logger.warning("log.rotation_failed", extra={"detail": trouble})
    if trouble := log.set_up(settings.log_dir, settings.log_level, run_id, redactor):
        log.say(trouble)
    failpoints.arm(settings.failpoint)
    return settings


def _with_login(settings: Settings) -> Settings:
    """Return the settings with the tokens that `login` got, if it was used."""
    if not settings.credentials_file.exists():
        return settings
    from src.x import credentials  # noqa: PLC0415 (a run on keys in .env never loads it)

    return credentials.applied(settings)


if __name__ == "__main__":
    sys.exit(main())

"""One tweet per slot: read what happened last, write, judge, post once, verify, record, exit.

`tick` is the whole program in one screen; `main` wires the parts, runs one command and turns its result into
an exit code. Success prints nothing without a terminal, so cron mails only problems.
"""

from __future__ import annotations

from src.system import requirements

requirements.refuse_unsupported()  # before anything that such a machine could not even import

import argparse
import contextlib
import json
import os
import resource
import secrets
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime

from src import __version__, config, db_manager
from src.commands import parser
from src.config import Settings
from src.domain.answers import UNSENT, Outcome, SendResult
from src.domain.errors import BusyError, ConfigError, LockedError, ProgramError
from src.domain.posts import Post, Status
from src.domain.runs import Exit, Hold, TickResult
from src.domain.texts import Composition, History
from src.posting import due
from src.posting.reconcile import audit, cold_start, reconcile, second_look, settle_now
from src.posting.run import Clock, Compose, DryRunAccount, LazyAccount, Run, require_credentials, with_login
from src.system import failpoints, log, log_rotation
from src.system.failpoints import reach
from src.system.interrupts import signals_blocked
from src.system.log import logger
from src.watch import alerts
from src.x.claim import claim_account, named, title

MAX_TEXTS = 2  # a refused text may be followed by one other in the same run
SEND_TRIES = 3
CLAIM_TRIES = 3  # statements tried in one run when the database knows their texts already
NETWORK_SECONDS = 130.0  # kept back from the model: one exchange and three looks at the timeline


def tick(run: Run) -> TickResult:
    """At most one tweet. Every step is committed before the next, so that dying anywhere is safe.

    1. adopt orphans: with the lock held, a post still `sending` was left by a dead run -> `unknown`
    2. settle unknowns from the timeline (no request unless there are some)
    3. due? slot used, holds, caps, budget
    4. a text: the one frozen for this slot, an approved draft, or a new one
    5. claim the slot, record the intent, send once, settle
    """
    reach("tick.locked")
    run.phase("settle")
    run.db.recover(run.slot)
    reach("tick.recovered")
    if closed := cold_start(run):
        return closed
    reconcile(run)
    audit(run)
    run.phase("due")
    if not run.preview and (wait := _wait(run)):
        return TickResult(wait.exit_code, f"nothing-due:{wait.reason}", wait.message, wait.fix)
    reach("tick.due")
    if refused := run.account.ready():
        return _cannot_sign(run, refused)
    for text_number in range(1, MAX_TEXTS + 1):
        claimed = _next_post(run)
        if claimed is None:
            return _no_content(run)
        post, result = send(run, claimed)
        if post.status is not Status.FAILED or text_number == MAX_TEXTS:
            return _conclude(run, post, result)
        post, unreadable = second_look(run, post)
        if unreadable or post.status is Status.POSTED:
            return _conclude(run, post, result)
    raise AssertionError


def _wait(run: Run) -> due.Wait | None:
    now = run.clock.now()
    return due.not_due(
        run.settings,
        run.db.archive.usage(run.slot, now),
        run.db.notes.current_hold(),
        run.db.notes.limits(),
        now,
    )


def _next_post(run: Run) -> Post | None:
    """The text for this slot, claimed: left over, approved, or written now."""
    run.phase("compose")
    if run.preview:
        run.slot = run.db.first_free_slot(run.clock.now(), run.settings.post_interval_minutes)
    waiting = run.db.pending(run.slot) or run.db.claim_approved(run.slot)
    if waiting:
        return waiting
    if run.settings.require_approval and not run.preview:
        return None
    return _new_post(run)


def _new_post(run: Run) -> Post | None:
    """Compose a text and claim the slot for it; where the database knows the text already, try other statements."""
    now = run.clock.now()
    history = run.db.archive.content_history(now, run.settings.cooldown_days)
    for _ in range(CLAIM_TRIES):
        composition = run.compose(run.settings, history, now, max(run.seconds_left() - NETWORK_SECONDS, 1.0))
        reach("tick.composed")
        run.notes += composition.notes
        run.metrics.update(composition.metrics)
        if composition.candidates:
            run.db.journal.add_candidates(run.run_id, composition.candidates, now)
        if composition.draft is None:
            return None
        post = run.db.claim(composition.draft, run.slot, now)
        if post or not run.db.archive.is_known_text(
            composition.draft.content
        ):  # otherwise another process took the slot
            return post
        logger.warning("claim.known_text", extra={"source_id": composition.draft.source_id})
        history = history.with_draft(composition.draft, now)
    return None


def send(run: Run, post: Post) -> tuple[Post, SendResult]:
    """Send one claimed text; retry only what provably never left; look for what may have arrived."""
    from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential  # noqa: PLC0415

    run.phase("send")
    if run.db.journal.was_refused(post):
        post, unreadable = second_look(run, post)
        if unreadable:
            return post, _not_sent(unreadable)
        if post.status is Status.POSTED:
            return post, SendResult(Outcome.POSTED, tweet_id=post.tweet_id)
    retrying = Retrying(
        stop=stop_after_attempt(SEND_TRIES),
        wait=wait_random_exponential(
            multiplier=run.settings.retry_wait_seconds / 4, max=run.settings.retry_wait_seconds * 4
        ),
        retry=retry_if_result(
            lambda r: r.outcome is Outcome.NOT_SENT and run.seconds_left() > NETWORK_SECONDS / 2
        ),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        sleep=run.clock.sleep,
    )
    result: SendResult = retrying(_send_once, run, post.id)
    post = run.db.post(post.id)
    if post.status is Status.UNKNOWN:
        post = settle_now(run, post, result)
    return post, result


def _not_sent(read: SendResult) -> SendResult:
    """The timeline had to be read before sending again and could not be: what that means for the text that waits."""
    if read.outcome in {Outcome.BLOCKED, Outcome.LATER}:
        return read
    return SendResult(
        Outcome.NOT_SENT,
        http_status=read.http_status,
        reason=read.reason,
        detail=read.detail,
        fix="nothing to do: the next run tries again",
    )


def _send_once(run: Run, post_id: int) -> SendResult:
    """Intent, POST, outcome. Between the two commits nothing may raise, and signals wait."""
    post = run.db.post(post_id)
    price = due.price_of(post.content, run.settings)
    with signals_blocked():
        attempt = run.db.begin_send(post, run.run_id, run.clock.now())
        if attempt is None:
            return SendResult(Outcome.UNKNOWN, reason="taken", detail="another run has this post")
        reach("send.before")
        result = run.account.send(post.content)
        reach("send.after")
        if result.tweet_id and run.db.tweets.known_among([result.tweet_id]):
            result = SendResult(
                Outcome.UNKNOWN,
                http_status=result.http_status,
                reason="tweet-id-taken",
                detail=f"X named {result.tweet_id}, which another post holds",
            )
        run.db.settle(post, attempt, result, run.clock.now(), price)
    level = logger.info if result.outcome is Outcome.POSTED else logger.warning
    level(
        "send",
        extra={
            "post_id": post.id,
            "outcome": result.outcome,
            "http_status": result.http_status,
            "reason": result.reason,
            "detail": result.detail,
            "latency_ms": result.latency_ms,
            "transaction_id": result.transaction_id,
        },
    )
    _measure_send(run, result, price)
    if result.limits:
        run.db.notes.put_limits(result.limits)
    return result


def _measure_send(run: Run, result: SendResult, price: float) -> None:
    run.add("attempts")
    run.metrics["send_ms"] = result.latency_ms
    run.metrics["http_status"] = result.http_status or 0  # 0: no answer
    if result.outcome not in {*UNSENT, Outcome.REFUSED}:
        run.add("cost_usd", price)
    for window in result.limits:
        run.metrics[f"{window.name}-remaining"] = window.remaining
        if window.limit:
            run.metrics[f"{window.name}-left-share"] = round(window.remaining / window.limit, 4)


def _conclude(run: Run, post: Post, result: SendResult) -> TickResult:
    """The run's result from where its post stands; holds are set or cleared by it."""
    now = run.clock.now()

    def told(code: Exit, outcome: str, message: str, fix: str = "") -> TickResult:
        return TickResult(code, outcome, message, fix, post.id, post.tweet_id, tuple(run.notes))

    if post.status is Status.POSTED:
        run.db.notes.clear_hold()
        return told(Exit.OK, "posted", f"posted {post.tweet_id}")
    reason = f"{result.reason}: {result.detail}" if result.detail else result.reason
    if result.outcome is Outcome.BLOCKED:
        hold = _block(run, result)
        return told(Exit.BLOCKED, "blocked", f"X refused ({reason}), {hold.count} in a row", result.fix)
    if result.outcome is Outcome.LATER:
        run.db.notes.hold("wait", result.reason, result.until, result.fix, now)
        until = f"{result.until:%F %R} UTC" if result.until else "later"
        return told(Exit.TEMPORARY, "later", f"X's limit is used up until {until} ({reason})", result.fix)
    if result.outcome in UNSENT:
        return told(Exit.TEMPORARY, "not-sent", f"X could not be reached ({reason})", result.fix)
    if post.status is Status.FAILED:
        return told(
            Exit.TEMPORARY, "refused", f"X refused the text ({reason})", "the next run writes another"
        )
    return told(
        Exit.UNKNOWN,
        "unknown",
        f"X gave no trustworthy answer ({reason}); post {post.id} is not sent again",
        "nothing to do: the next runs look for it on the timeline",
    )


def _cannot_sign(run: Run, result: SendResult) -> TickResult:
    """Nothing was claimed and nothing sent: the login could not be renewed."""
    reason = f"{result.reason}: {result.detail}" if result.detail else result.reason
    if result.outcome is Outcome.BLOCKED:
        hold = _block(run, result)
        return TickResult(
            Exit.BLOCKED,
            "blocked",
            f"X does not renew the login ({reason}), {hold.count} in a row",
            result.fix,
        )
    if result.outcome is Outcome.LATER:
        run.db.notes.hold("wait", result.reason, result.until, result.fix, run.clock.now())
    return TickResult(
        Exit.TEMPORARY,
        "not-sent",
        f"the login could not be renewed ({reason})",
        result.fix or "nothing to do: the next run tries again",
    )


def _block(run: Run, result: SendResult) -> Hold:
    now, interval = run.clock.now(), run.settings.post_interval_minutes
    current = run.db.notes.current_hold()
    count = current.count + 1 if current and current.kind == "blocked" else 1
    return run.db.notes.hold(
        "blocked", result.reason, due.hold_until(result.reason, count, now, interval), result.fix, now
    )


def _no_content(run: Run) -> TickResult:
    if run.settings.require_approval:
        waiting = len(run.db.with_status(Status.DRAFT))
        return TickResult(
            Exit.NO_CONTENT,
            "waiting-for-approval",
            f"no approved draft; {waiting} wait for you",
            "`drafts list`, then `drafts approve ID`; `drafts generate -n 10` writes more",
        )
    if wait := None if run.preview else _wait(run):  # another process took the slot while the model wrote
        return TickResult(wait.exit_code, f"nothing-due:{wait.reason}", wait.message, wait.fix)
    said = "; ".join(run.notes) or "no text passed the gates"
    return TickResult(
        Exit.NO_CONTENT, "no-content", said, "`sources check` shows the library", notes=tuple(run.notes)
    )


# ---- wiring ----------------------------------------------------------------------------------------------------


def compose(settings: Settings, history: History, now: datetime, seconds: float) -> Composition:
    """The real composer, imported only when a text is due."""
    from src import content_generator  # noqa: PLC0415

    return content_generator.compose(settings, history, now, seconds=seconds)


def run_tick(settings: Settings, clock: Clock, run_id: str, composer: Compose = compose) -> TickResult:
    """One real tick: lock, database, account, record, alerts. Raises `ProgramError`."""
    try:
        require_credentials(settings)
        claim_account(settings)
        opening = clock.monotonic()
        with db_manager.locked_database(settings.database, clock.now()) as db:
            run = Run(settings, db, LazyAccount(settings, clock), composer, run_id, clock)
            run.metrics["open_seconds"] = round(clock.monotonic() - opening, 4)
            db.journal.begin_run(run_id, "tick", run.slot, __version__, run.started)
            alerts.ping(settings, "/start")
            result = _recorded(run)
            health = _health(run, result)
        reach("tick.finished")
    except BusyError as busy:
        logger.info("tick.busy")
        return TickResult(Exit.OK, "busy", str(busy))
    except ProgramError as trouble:
        locked = isinstance(trouble, LockedError)
        result = TickResult(trouble.exit_code, "locked" if locked else "trouble", str(trouble), trouble.fix)
        found = alerts.causes(alerts.Health(result), settings, clock.now())
        seen = {
            "settings" if trouble.exit_code is Exit.CONFIG else "database"
        }  # of the rest this run saw nothing
        alerts.tell(found, settings, clock.now(), seen.__contains__)
        _ping(settings, result)
        raise
    alerts.watch(health, settings, clock.now())
    _ping(settings, result)
    return result


def _ping(settings: Settings, result: TickResult) -> None:
    """The dead-man's ping, after everything is committed; its trouble never changes the run."""
    alerts.ping(settings, "" if result.exit_code is Exit.OK else "/fail", result.message)


def _health(run: Run, result: TickResult) -> alerts.Health:
    hold = run.db.notes.current_hold()
    blocked = hold if hold and hold.kind == "blocked" else None
    fresh = run.metrics.get("fresh_statements")
    return alerts.Health(
        result,
        blocked=f"{blocked.reason}, {blocked.count} in a row" if blocked else "",
        blocked_fix=blocked.fix if blocked else "",
        oldest_unknown=run.db.archive.oldest_unknown(),
        failures=run.db.journal.failures_in_a_row(),
        model_failures=run.db.journal.model_failures_in_a_row(),
        last_posted=run.db.archive.last_posted(),
        watched_since=run.db.notes.made_at(),
        fresh_statements=None if fresh is None else int(fresh),
        library_days=run.metrics.get("library_days"),
        login_ends=_login_ends(run),
    )


def _login_ends(run: Run) -> datetime | None:
    if run.settings.login is None:
        return None
    from src.x import credentials  # noqa: PLC0415 (with keys from .env a run never loads it)

    with contextlib.suppress(ConfigError):  # as it is after this run, which may have renewed it
        return credentials.lapses_at(credentials.load(run.settings.credentials_file), run.clock.now())
    return None


def _own_metrics() -> dict[str, float]:
    """Peak memory (MB) and processor time (seconds) of this process and of the model's, which is its only child."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    model_cpu = children.ru_utime + children.ru_stime
    measured = {
        "program_peak_mb": round(usage.ru_maxrss / 1024, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime + model_cpu, 3),
    }
    if children.ru_maxrss:
        measured |= {
            "model_peak_mb": round(children.ru_maxrss / 1024, 1),
            "model_cpu_seconds": round(model_cpu, 3),
        }
    return measured


def _measured(run: Run) -> dict[str, float]:
    run.phase("")
    run.metrics["seconds"] = (run.clock.now() - run.started).total_seconds()
    run.metrics.update(_own_metrics())
    return run.metrics


def _recorded(run: Run) -> TickResult:
    try:
        result = tick(run)
    except ProgramError as trouble:
        with contextlib.suppress(ProgramError):
            run.db.journal.finish_run(
                run.run_id, trouble.exit_code, "trouble", str(trouble), _measured(run), run.clock.now()
            )
        raise
    run.db.journal.finish_run(
        run.run_id, result.exit_code, result.outcome, result.message, _measured(run), run.clock.now()
    )
    return result


def run_preview(
    settings: Settings, clock: Clock, run_id: str, composer: Compose = compose
) -> tuple[TickResult, Post | None, dict[str, float]]:
    """The same tick on an in-memory copy of the database, with a sender that only pretends; post and metrics with it."""
    db = db_manager.open_for_reading(settings.database) or db_manager.empty_database(clock.now())
    with contextlib.closing(db):
        run = Run(settings, db, DryRunAccount(), composer, run_id, clock, preview=True)
        result = tick(run)
        return result, db.post(result.post_id) if result.post_id else None, _measured(run)


def carry_out(options: argparse.Namespace, settings: Settings, clock: Clock, run_id: str) -> int:
    """Carry out one parsed command; its exit code."""
    if options.command:
        from src.commands import table  # noqa: PLC0415 (an hourly tick needs no command)

        return table.run(options, settings, clock, run_id)
    if options.dry_run:
        from src.commands import dry_run  # noqa: PLC0415 (counting as X does needs a library that a tick with nothing due does not)

        return dry_run.show_preview(options, settings, *run_preview(settings, clock, run_id))
    result = run_tick(settings, clock, run_id)
    result = replace(
        result, message=named(result.message, settings.profile), fix=named(result.fix, settings.profile)
    )
    level = logger.info if result.exit_code is Exit.OK else logger.error
    level(
        "tick",
        extra={
            "outcome": result.outcome,
            "exit_code": int(result.exit_code),
            "detail": result.message,
            "fix": result.fix,
            "post_id": result.post_id,
            "notes": list(result.notes),
        },
    )
    if options.json:
        print(json.dumps({**asdict(result), "exit_code": int(result.exit_code)}))
    elif result.exit_code is not Exit.OK:
        log.say(
            f"{title(settings.profile)}: {result.message}" + (f"\n  fix: {result.fix}" if result.fix else "")
        )
    elif sys.stdout and sys.stdout.isatty() and not options.quiet:
        print(log.sanitise(result.message))
    return int(result.exit_code)


def _fill_standard_streams() -> None:
    """Give closed standard streams to /dev/null: otherwise the database may become descriptor 2 and be printed into."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit code."""
    os.umask(0o077)
    _fill_standard_streams()
    options = parser.parse(list(sys.argv[1:] if arguments is None else arguments))
    log.begin(-1 if options.quiet else options.verbose, colour=config.colour_allowed())
    run_id = secrets.token_hex(4)
    profile = config.profile_of(options.profile)
    try:
        settings = _start(run_id, Clock(), profile, logging_in=options.command == "login")
        return carry_out(options, settings, Clock(), run_id)
    except ProgramError as error:
        message, fix = named(str(error), profile), named(error.fix, profile)
        logger.error(
            "trouble", extra={"message_text": message, "fix": fix, "exit_code": int(error.exit_code)}
        )
        log.say(f"{title(profile)}: {message}" + (f"\n  fix: {fix}" if fix else ""))
        return int(error.exit_code)
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 (the last line of defence: one line to the person, the story to the log)
        logger.error("bug", exc_info=error)
        log.say(
            f"{title(profile)}: a bug: {type(error).__name__}: {error}\n  fix: see {log.ERROR_FILE} and report it"
        )
        return int(Exit.BUG)
    finally:
        log.finish()


def _start(run_id: str, clock: Clock, profile: str, *, logging_in: bool = False) -> Settings:
    """Settings and logs. Settings that are not valid are told in the log files too, as far as these are known."""
    try:
        settings = config.load(profile=profile)
        with contextlib.suppress(
            *(ConfigError,) * logging_in
        ):  # tokens that cannot be read are what a login mends
            settings = with_login(settings)
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


if __name__ == "__main__":
    sys.exit(main())

"""The judgement of health: one set of facts, one rule for each thing that can be wrong.

Runs, `status`, `report` and alerts all judge by `find`. A fact that is None was not looked at: no rule finds
anything in it, and no alert about it ends (`looked_at`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from src.config import Settings
from src.db_manager import Database
from src.domain import reasons
from src.domain.errors import DamagedError
from src.domain.fixes import NO_FIX, Fix, command, env_file, line
from src.domain.plurals import numbered
from src.domain.posts import Status
from src.domain.runs import Exit, RunOutcome, RunRecord, TickResult
from src.domain.schedule import MAKE_UP
from src.domain.timetable import Timetable
from src.posting.breaker import BREAKER_AFTER, BreakerState, breaker_state
from src.watch.facts import Code, Facts, Finding, Maintenance, Review

READ_FAILURES = 3  # of a feed or of results, in a row, before the owner is told
LOG_FIX = Fix("the details are in error.log in the folder of the logs")
_FIXES = {  # the table of runs stores no fix
    RunOutcome.NOT_SENT: Fix("check the network and the name server of this machine"),
    RunOutcome.LATER: Fix("nothing to do: the program waits until X's limit is over"),
    RunOutcome.NO_CONTENT: Fix(command("sources check"), " shows the library; add statements (SOURCES)"),
    RunOutcome.WAITING_FOR_APPROVAL: Fix(command("queue review"), " shows the drafts"),
    RunOutcome.BUDGET: Fix("raise DAILY_BUDGET_USD or MONTHLY_BUDGET_USD if you want more"),
    RunOutcome.CLOCK_BEHIND: Fix("set the clock of this machine (timedatectl set-ntp true)"),
}


def look(db: Database, settings: Settings, now: datetime) -> Facts:
    """Return the facts that the database tells."""
    return Facts(
        breaker=breaker_state(db.notes.current_hold(), now),
        unknown=tuple(db.archive.unsettled()),
        returned=tuple(db.archive.returned_drafts()),
        review=_review(db, settings),
        failures=db.journal.failures_in_a_row(),
        model_failures=db.journal.model_failures_in_a_row(),
        last_posted=db.archive.last_posted(now),
        watched_since=db.notes.made_at(),
        timetable=db.notes.timetable(settings.schedule, now),
        feeds=tuple(db.feeds.records().values()),
        results=db.results.reading(),
    )


def _review(db: Database, settings: Settings) -> Review:
    drafts = len(db.with_status(Status.DRAFT))
    awaited = settings.require_approval and not db.with_status(Status.APPROVED)
    return Review(awaited, drafts)


def result_of(run: RunRecord | None) -> TickResult | None:
    """Return how a recorded run ended; None where it has not, or died."""
    if run is None or run.finished is None:
        return None
    code = Exit(run.exit_code) if run.exit_code in set(Exit) else Exit.BUG
    outcome = run.outcome or RunOutcome.TROUBLE
    return TickResult(code, outcome, run.message, _FIXES.get(outcome, NO_FIX), reason=run.reason)


def find(facts: Facts, settings: Settings, now: datetime) -> tuple[Finding, ...]:
    """Return everything that is wrong, the most severe first; empty when all is well."""
    findings = (rule.judge(facts, settings, now) for rule in _RULES)
    return tuple(sorted(filter(None, findings), key=lambda finding: -finding.exit_code))


def looked_at(facts: Facts) -> frozenset[Code]:
    """Return what these facts can tell to be over."""
    return frozenset(rule.code for rule in _RULES if rule.fact(facts) is not None)


def exit_code(findings: Iterable[Finding]) -> Exit:
    """Return the exit code of the most severe finding, 0 for none."""
    return max((finding.exit_code for finding in findings), default=Exit.OK)


def refusals_text(state: BreakerState, settings: Settings) -> str:
    """Return how often X has refused in a row, why, and until when nothing is sent for it, in one line."""
    if not state.count:
        return "none"
    reason = reasons.of_answer(state.reason)
    until = f"until {settings.shown(state.until)}" if state.until else ""
    if state.open:
        since = f" since {settings.shown(state.since)}" if state.since else ""
        held = f"nothing is sent {until}" if until else "one try is due"
        return f"{state.count} in a row{since}, {held}: {reason}"
    wait = f"; nothing is sent {until}" if until else ""
    return f"{state.count} of {BREAKER_AFTER} in a row: {reason}{wait}"


# ---- the rules ---------------------------------------------------------------------------------------------


def _blocked(facts: Facts, _settings: Settings, _now: datetime) -> Finding | None:
    state = facts.breaker
    if state is None or not state.count:
        return None
    message = (
        f"X refuses this account, app or payment: {reasons.of_answer(state.reason)}, {state.count} in a row"
    )
    return Finding(Code.BLOCKED, message, state.fix or LOG_FIX, Exit.BLOCKED, state.since)


def _unknown(facts: Facts, settings: Settings, _now: datetime) -> Finding | None:
    posts = facts.unknown
    if not posts:
        return None
    since = min((post.sent_at for post in posts if post.sent_at), default=None)
    message = f"outcome unknown of post {', '.join(str(post.id) for post in posts)}"
    return Finding(
        Code.UNKNOWN,
        message + (f", sent {settings.shown(since)}" if since else ""),
        Fix(
            "the next runs look on the timeline; or look at your account and settle it with ",
            command(f"reconcile {posts[0].id} --posted TWEET_ID"),
            " or ",
            command(f"reconcile {posts[0].id} --not-posted"),
        ),
        Exit.UNKNOWN,
        since,
    )


def _returned(facts: Facts, _settings: Settings, _now: datetime) -> Finding | None:
    if not facts.returned:
        return None
    post = facts.returned[0]
    more = f" (and {len(facts.returned) - 1} more)" if len(facts.returned) > 1 else ""
    return Finding(
        Code.RETURNED,
        f"draft {post.id}, approved before, waits again: {post.error_message}{more}",
        Fix(command(f"drafts edit {post.id} TEXT"), " or ", command(f"drafts reject {post.id}")),
    )


def _approval(facts: Facts, _settings: Settings, _now: datetime) -> Finding | None:
    if facts.review is None or not facts.review.awaited:
        return None
    drafts = facts.review.drafts
    message = f"no text is approved; {numbered(drafts, 'draft waits', 'drafts wait')} for you"
    fix = Fix(
        command("queue review"), " shows one after the other; ", command("queue fill -n 10"), " writes more"
    )
    return Finding(Code.APPROVAL, message, fix, Exit.OK)


def _failures(facts: Facts, settings: Settings, _now: datetime) -> Finding | None:
    if facts.failures is None or facts.failures < settings.alert_after_failures:
        return None
    last = facts.result
    if facts.breaker and facts.breaker.count and last and last.exit_code is Exit.BLOCKED:
        return None  # one alert for one cause
    failed = f"{numbered(facts.failures or 0, 'run')} in a row failed"
    message = f"{failed}, the last one: {last.message}" if last else failed
    return Finding(Code.FAILURES, message, _fix_of(last))


def _model(facts: Facts, settings: Settings, _now: datetime) -> Finding | None:
    if facts.model_failures is None or facts.model_failures < settings.alert_after_failures:
        return None
    return Finding(
        Code.MODEL,
        f"the model failed in {facts.model_failures} consecutive runs; only vetted text was posted",
        Fix(command("check"), " tests it; twitter_manager.log in the folder of the logs has the reason"),
    )


def _silence(facts: Facts, settings: Settings, now: datetime) -> Finding | None:
    since = facts.last_posted or facts.watched_since
    if since is None or (facts.review and facts.review.awaited):
        return None
    table = _timetable(facts, settings)
    # Two slots where slots are further apart than the hours of the setting.
    longest = max(timedelta(hours=settings.alert_no_post_hours), 2 * table.current.shortest)
    if now - since <= longest or table.empty_time(since, now) <= longest:
        return None
    fix = Fix(command("status"), " shows what holds it back")
    return Finding(Code.SILENCE, f"no post since {settings.shown(since)}", fix, since=since)


def _timetable(facts: Facts, settings: Settings) -> Timetable:
    return facts.timetable or Timetable.of(settings.schedule)


def _budget(facts: Facts, _settings: Settings, _now: datetime) -> Finding | None:
    if facts.result is None or facts.result.outcome is not RunOutcome.BUDGET:
        return None
    return Finding(Code.BUDGET, facts.result.message, _fix_of(facts.result))


def _database(facts: Facts, _settings: Settings, _now: datetime) -> Finding | None:
    end = facts.failure or facts.result
    if end is None or not (end.exit_code is Exit.IO or end.outcome is RunOutcome.LOCKED):
        return None
    return Finding(Code.DATABASE, end.message, _fix_of(end), Exit.IO)


def _settings_wrong(facts: Facts, _settings: Settings, _now: datetime) -> Finding | None:
    end = facts.failure or facts.result
    if end is None or end.exit_code is not Exit.CONFIG:
        return None
    return Finding(Code.SETTINGS, end.message, _fix_of(end), Exit.CONFIG)


def _bug(facts: Facts, _settings: Settings, _now: datetime) -> Finding | None:
    end = facts.failure or facts.result
    if end is None or end.exit_code is not Exit.BUG:
        return None
    return Finding(Code.BUG, end.message, _fix_of(end), Exit.BUG)


def _library(facts: Facts, settings: Settings, now: datetime) -> Finding | None:
    stock = facts.library
    if stock is None or stock.days is None or stock.days >= settings.alert_low_library_days:
        return None
    return Finding(
        Code.LIBRARY,
        f"the library lasts {stock.days:.1f} days, until {now + timedelta(days=stock.days):%F}:"
        f" {stock.fresh} fresh statements are left",
        Fix("add statements or wordings (SOURCES), or lower COOLDOWN_DAYS or REPEAT_AFTER_DAYS"),
        Exit.NO_CONTENT,
    )


def _login(facts: Facts, _settings: Settings, _now: datetime) -> Finding | None:
    if facts.login is None or facts.login.ends is None:
        return None
    return Finding(
        Code.LOGIN,
        f"the login at X ends on {facts.login.ends:%F} unless a run renews it",
        Fix(command("login --oauth2"), " makes a new one, or let a tweet go out: that renews it"),
    )


def _credentials(facts: Facts, settings: Settings, now: datetime) -> Finding | None:
    outside = facts.outside
    if outside is None or not outside.missing:
        return None
    if outside.last_started and not _overdue_since(facts, settings, now):
        return None  # the runs have keys: systemd may hand them to its service alone
    fix = Fix("fill them in in ", env_file(), "; .env.example explains each")
    return Finding(Code.CREDENTIALS, f"{', '.join(outside.missing)}: not set", fix, Exit.CONFIG)


def _not_running(facts: Facts, settings: Settings, now: datetime) -> Finding | None:
    if facts.outside and facts.outside.last_started is None:
        fix = Fix(line("check"), ", then the line of crontab.example")
        return Finding(Code.NOT_RUNNING, "nothing has run yet", fix)
    since = _overdue_since(facts, settings, now)
    if since is None:
        return None
    fix = Fix("look at `crontab -l` and at what cron mailed; was the machine off or asleep?")
    return Finding(Code.NOT_RUNNING, f"no run since {settings.shown(since)}", fix, since=since)


def _damage(facts: Facts, _settings: Settings, _now: datetime) -> Finding | None:
    error = facts.maintenance.error if facts.maintenance else None
    if not isinstance(error, DamagedError):
        return None
    return Finding(Code.DAMAGE, str(error), error.fix, Exit.IO)


def _backup(facts: Facts, _settings: Settings, _now: datetime) -> Finding | None:
    error = facts.maintenance.error if facts.maintenance else None
    if error is None or isinstance(error, DamagedError):
        return None
    return Finding(Code.BACKUP, f"maintenance could not finish: {error}", error.fix, error.exit_code)


def _feed(facts: Facts, settings: Settings, _now: datetime) -> Finding | None:
    bad = [
        record
        for record in facts.feeds or ()
        if record.address in settings.feeds and (record.ended or record.failures >= READ_FAILURES)
    ]
    if not bad:
        return None
    record = bad[0]
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    words = "has ended" if record.ended else f"failed {record.failures} times in a row: {record.detail}"
    fix = Fix("take it out of FEEDS, or put its new address there; ", command("sources feeds"), " shows all")
    return Finding(Code.FEED, f"the feed {record.address} {words}{more}", fix)


def _results(facts: Facts, settings: Settings, _now: datetime) -> Finding | None:
    reading = facts.results
    if reading is None or not settings.results_after_days or reading.failures < READ_FAILURES:
        return None
    days = numbered(reading.failures, "day")
    message = f"what became of posts could not be read, {days} in a row: {reading.detail}"
    return Finding(Code.RESULTS, message, reading.fix or LOG_FIX)


def _maintenance_that_checked(facts: Facts) -> Maintenance | None:
    """Return the end of `maintain` if it got past the check; before that it says nothing of either."""
    return facts.maintenance if facts.maintenance and facts.maintenance.checked else None


def _fix_of(end: TickResult | None) -> Fix:
    return (end.fix if end else NO_FIX) or LOG_FIX


def _overdue_since(facts: Facts, settings: Settings, now: datetime) -> datetime | None:
    """Return when the last run started, or watching began, if two wanted slots have gone by since then."""
    if facts.outside is None:
        return None
    last = facts.outside.last_started or facts.watched_since
    if last is None:
        return None
    table = _timetable(facts, settings)
    late = min(table.current.shortest / 4, MAKE_UP)
    gone_by = table.between(last + timedelta(seconds=1), now - late)
    return last if len(list(itertools.islice(gone_by, 2))) == 2 else None


@dataclass(frozen=True, slots=True)
class _Rule:
    """One rule: its code, the fact that it needs (None: not looked at), and its judgement."""

    code: Code
    fact: Callable[[Facts], object]
    judge: Callable[[Facts, Settings, datetime], Finding | None]


_RULES = (
    _Rule(Code.BLOCKED, lambda facts: facts.breaker, _blocked),
    _Rule(Code.UNKNOWN, lambda facts: facts.unknown, _unknown),
    _Rule(Code.FAILURES, lambda facts: facts.failures, _failures),
    _Rule(Code.MODEL, lambda facts: facts.model_failures, _model),
    _Rule(Code.SILENCE, lambda facts: facts.last_posted or facts.watched_since, _silence),
    _Rule(Code.BUDGET, lambda facts: facts.result, _budget),
    _Rule(Code.DATABASE, lambda facts: facts.result, _database),
    _Rule(Code.SETTINGS, lambda facts: facts.result, _settings_wrong),
    _Rule(Code.BUG, lambda facts: facts.result, _bug),
    _Rule(Code.LIBRARY, lambda facts: facts.library, _library),
    _Rule(Code.LOGIN, lambda facts: facts.login, _login),
    _Rule(Code.CREDENTIALS, lambda facts: facts.outside, _credentials),
    _Rule(Code.NOT_RUNNING, lambda facts: facts.outside, _not_running),
    _Rule(Code.DAMAGE, _maintenance_that_checked, _damage),
    _Rule(Code.BACKUP, _maintenance_that_checked, _backup),
    _Rule(Code.RETURNED, lambda facts: facts.returned, _returned),
    _Rule(Code.APPROVAL, lambda facts: facts.review, _approval),
    _Rule(Code.FEED, lambda facts: facts.feeds, _feed),
    _Rule(Code.RESULTS, lambda facts: facts.results, _results),
)

"""Which alerts are due (pure), and their delivery, which never raises and never takes longer than ten seconds.

An alert is named by its cause. A new cause is told at once, one that stays is told again once a day, and when
it is gone the owner hears that too. What was told is kept in a small file beside the database, not in it: a
broken database is one of the causes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from src.config import Settings
from src.domain.errors import DeadlineError
from src.domain.runs import Exit, TickResult
from src.posting.due import is_quiet
from src.system.files import write_atomically
from src.system.interrupts import hard_limit
from src.system.log import logger, sanitise
from src.x.claim import named, title

REMIND_AFTER = timedelta(hours=24)
UNKNOWN_AFTER = timedelta(hours=1)
DELIVERY_SECONDS = 10.0
PING_SECONDS = 5.0
MAINTENANCE = frozenset({"damage", "backup"})  # causes that only `maintain` looks for, and only it calls over
_PING_BODY_BYTES = 10_000


@dataclass(frozen=True, slots=True)
class Health:
    """What the rules look at. Times UTC; `failures` counts runs in a row that ended badly, `model_failures` those without the model.

    `fresh_statements` is None in a run that had no text to write; `library_days` also where the library does not run out.
    """

    result: TickResult
    blocked: str = ""
    blocked_fix: str = ""
    oldest_unknown: datetime | None = None
    failures: int = 0
    model_failures: int = 0
    last_posted: datetime | None = None
    watched_since: datetime | None = None
    fresh_statements: int | None = None
    library_days: float | None = None
    login_ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing wrong: a stable name, a sentence, and what the owner can do."""

    name: str
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """One message to the owner. `kind` is new, reminder or recovered."""

    kind: str
    cause: str
    title: str
    body: str


def causes(health: Health, settings: Settings, now: datetime) -> list[Cause]:
    """Everything that is wrong now, by the rules."""
    found = []
    result = health.result
    if health.blocked:
        found.append(
            Cause("blocked", f"X refuses this account, app or payment: {health.blocked}", health.blocked_fix)
        )
    if health.oldest_unknown and now - health.oldest_unknown > UNKNOWN_AFTER:
        found.append(
            Cause(
                "unknown",
                f"whether the post of {health.oldest_unknown:%F %R} UTC went out is still unknown",
                "look at your account; `reconcile ID --posted TWEET_ID` or `--not-posted` settles it",
            )
        )
    if health.failures >= settings.alert_after_failures:
        found.append(
            Cause(
                "failures",
                f"{health.failures} runs in a row failed, the last one: {result.message}",
                result.fix,
            )
        )
    if health.model_failures >= settings.alert_after_failures:
        found.append(
            Cause(
                "model",
                f"the model brought no text in {health.model_failures} runs in a row; vetted texts went out without it",
                "`check` tests it; twitter_manager.log in the folder of the logs has the reason",
            )
        )
    since = health.last_posted or health.watched_since
    if since and _loud_time(since, settings, now) > _longest_silence(settings):
        found.append(
            Cause("silence", f"no post since {since:%F %R} UTC", "`status` shows what holds it back")
        )
    if result.outcome == "nothing-due:budget":
        found.append(Cause("budget", result.message, result.fix))
    if (
        result.exit_code is Exit.IO or result.outcome == "locked"
    ):  # a run that saw no database cannot count its failures there
        found.append(Cause("database", result.message, result.fix))
    if result.exit_code is Exit.CONFIG:
        found.append(Cause("settings", result.message, result.fix))
    if health.library_days is not None and health.library_days < settings.alert_low_library_days:
        found.append(
            Cause(
                "library",
                f"the library lasts {health.library_days:.1f} days: {health.fresh_statements} fresh statements are left",
                "add statements or wordings (SOURCES), or lower COOLDOWN_DAYS",
            )
        )
    if health.login_ends:
        found.append(
            Cause(
                "login",
                f"the login at X ends on {health.login_ends:%F} unless a run renews it",
                "`login --oauth2` makes a new one, or let a tweet go out: that renews it",
            )
        )
    return [Cause(c.name, named(c.message, settings.profile), named(c.fix, settings.profile)) for c in found]


def _longest_silence(settings: Settings) -> timedelta:
    """ALERT_NO_POST_HOURS, or two slots where slots are longer than that."""
    return max(
        timedelta(hours=settings.alert_no_post_hours), timedelta(minutes=2 * settings.post_interval_minutes)
    )


def _loud_time(since: datetime, settings: Settings, now: datetime) -> timedelta:
    """The time from `since` to `now` without the quiet hours, by quarters of an hour; counted no further than needed."""
    if not settings.quiet_hours or now - since <= _longest_silence(settings):
        return now - since
    loud, step = timedelta(0), timedelta(minutes=15)
    while since < now and loud <= _longest_silence(settings):
        loud += timedelta(0) if is_quiet(settings, since) else step
        since += step
    return loud


def _by_a_tick(name: str) -> bool:
    return name not in MAINTENANCE


def due(
    found: Iterable[Cause],
    told: Mapping[str, float],
    now: datetime,
    judged: Callable[[str], bool] = _by_a_tick,
) -> tuple[list[Alert], dict[str, float]]:
    """(alerts to send, what will have been told): new causes, daily reminders, and recoveries.

    `judged` tells which causes this run has looked for: only those can be over.
    """
    alerts: list[Alert] = []
    after = {name: at for name, at in told.items() if not judged(name)}
    current = {cause.name: cause for cause in found}
    for name, cause in current.items():
        last = told.get(name)
        again = last is not None and now - datetime.fromtimestamp(last, UTC) >= REMIND_AFTER
        if last is None or again:
            body = cause.message + (f"\nfix: {cause.fix}" if cause.fix else "")
            alerts.append(Alert("reminder" if again else "new", name, f"twitter_manager: {name}", body))
        after[name] = now.timestamp() if last is None or again else last
    alerts += [
        Alert("recovered", name, f"twitter_manager: {name} is over", "It works again.")
        for name in told
        if name not in current and judged(name)
    ]
    return alerts, after


def watch(health: Health, settings: Settings, now: datetime) -> None:
    """Tell what is due by the rules, and remember it. Never raises."""
    unseen = {"library"} if health.fresh_statements is None else set()
    tell(causes(health, settings, now), settings, now, lambda name: _by_a_tick(name) and name not in unseen)


def tell(found: Iterable[Cause], settings: Settings, now: datetime, judged: Callable[[str], bool]) -> None:
    """Tell these causes where they are due, and what is over among those `judged`; remember it. Never raises."""
    if not settings.alert_urls:
        return
    file = settings.data_dir / "alerts.json"
    told = _read(file)
    alerts, after = due(found, told, now, judged)
    undelivered = {alert.cause for alert in alerts if not deliver(settings, alert)}
    for name in undelivered:  # what did not arrive is told again by the next run
        after.pop(name, None)
        if name in told:
            after[name] = told[name]
    if after != told:
        _write(file, after)


def deliver(settings: Settings, alert: Alert) -> bool:
    """Send one alert to every address of ALERT_URLS; whether all took it. Ten seconds, whatever the services do."""
    from apprise import Apprise  # noqa: PLC0415 (half a second that a run without alerts need not spend)

    try:
        with hard_limit(DELIVERY_SECONDS):
            services = Apprise()
            accepted = [services.add(url) for url in settings.alert_addresses()]
            subject = alert.title.replace("twitter_manager", title(settings.profile), 1)
            sent = bool(
                services.notify(title=subject, body="\n".join(map(sanitise, alert.body.splitlines())))
            )
    except (DeadlineError, Exception) as error:  # noqa: BLE001 (delivery trouble must never change the run)
        logger.warning("alert.failed", extra={"cause": alert.cause, "error": type(error).__name__})
        return False
    good = sent and all(accepted)
    logger.log(
        20 if good else 30,
        "alert.sent" if good else "alert.failed",
        extra={"cause": alert.cause, "kind": alert.kind},
    )
    return good


def ping(settings: Settings, suffix: str = "", body: str = "") -> bool:
    """Tell the dead-man's switch (PING_URL; `/start`, nothing, or `/fail`). Never raises; five seconds at most."""
    if not settings.ping_url:
        return False
    import requests  # noqa: PLC0415

    url = settings.ping_url.get_secret_value().rstrip("/") + suffix
    try:
        with hard_limit(PING_SECONDS):
            return requests.post(
                url, data=body.encode()[:_PING_BODY_BYTES], timeout=PING_SECONDS, allow_redirects=False
            ).ok
    except (DeadlineError, Exception) as error:  # noqa: BLE001
        logger.warning("ping.failed", extra={"error": type(error).__name__})
        return False


def send_test(settings: Settings) -> dict[str, bool]:
    """Send a test to whatever is set, "alerts" and "ping"; return which arrived."""
    delivered = {}
    if settings.alert_urls:
        alert = Alert("new", "test", "twitter_manager: test", "This is a test. All is well.")
        delivered["alerts"] = deliver(settings, alert)
    if settings.ping_url:
        delivered["ping"] = ping(settings, "", "test")
    return delivered


def _read(file: Path) -> dict[str, float]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): float(at) for name, at in data.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(file: Path, told: Mapping[str, float]) -> None:
    with contextlib.suppress(OSError):
        # a run without keys ends before it makes its folder
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(file, json.dumps(dict(told)) + "\n")

"""The decision which alerts are due (pure), and their delivery, which never raises.

Each address has ten seconds in a run and a memory of its own: one that is down costs the others nothing.
An alert is named by the code of its finding. A new one is sent at once and repeated once a day while it
lasts; its end is reported too. What was sent is kept in a small file beside the database, not in it: a broken
database is one of the findings.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from src.config import Settings
from src.domain.errors import ConfigError, DeadlineError
from src.domain.fixes import Fix, env_file
from src.domain.runs import Exit
from src.system.files import read_json, write_atomically
from src.system.interrupts import hard_limit
from src.system.log import Redactor, logger, sanitise
from src.watch import health
from src.watch.facts import Code, Facts, Finding
from src.watch.ping import ping
from src.x import account_name
from src.x.claim import fix_text, title

REMIND_AFTER = timedelta(hours=24)
PATIENCE = {Code.UNKNOWN: timedelta(hours=2)}  # the next two runs may settle it
DELIVERY_SECONDS = 10.0
_EVERY_ADDRESS = ""  # in a file of 0.1.0, which did not tell the addresses apart


@dataclass(frozen=True, slots=True)
class Alert:
    """One message to the owner. `kind` is new, reminder or recovered, `severity` a type of Apprise's."""

    kind: str
    cause: str
    body: str
    severity: str = "info"


def watch(facts: Facts, settings: Settings, now: datetime) -> None:
    """Judge these facts, send the alerts that are due, and record them. Never raises."""
    tell(health.find(facts, settings, now), settings, now, health.looked_at(facts))


def tell(findings: Iterable[Finding], settings: Settings, now: datetime, judged: Collection[Code]) -> None:
    """Send the alerts that are due and the recoveries among `judged`, and record them. Never raises."""
    if not settings.alert_urls:
        return
    file = settings.data_dir / "alerts.json"
    before = _read(file)
    ripe = [f for f in findings if _is_ripe(f, now)]
    bodies = {f.code: _body(f, settings) for f in ripe}
    severities = {str(f.code): _severity(f) for f in ripe}
    if not bodies and not before:
        return
    after: dict[str, dict[str, float]] = {}
    for address in _addresses(settings):
        sent = before.get(_name(address), before.get(_EVERY_ADDRESS, {}))
        if told := _tell(address, bodies, severities, sent, settings, now, judged):
            after[_name(address)] = told
    if after != before:
        _write(file, after)


def _tell(
    address: str,
    bodies: Mapping[Code, str],
    severities: Mapping[str, str],
    sent: Mapping[str, float],
    settings: Settings,
    now: datetime,
    judged: Collection[Code],
) -> dict[str, float]:
    """Send one address what is due to it; return what will have been sent there. What failed stays due."""
    alerts, after = due(bodies, sent, now, judged)
    alerts = [replace(a, severity=severities.get(a.cause, "success")) for a in alerts]
    accepted = _send(address, alerts, settings)
    for name in {alert.cause for alert in alerts} - accepted:
        after.pop(name, None)
        if name in sent:
            after[name] = sent[name]
    return after


def due(
    bodies: Mapping[Code, str], sent: Mapping[str, float], now: datetime, judged: Collection[Code]
) -> tuple[list[Alert], dict[str, float]]:
    """Return the alerts to send (new ones, daily reminders, recoveries) and what will have been sent then.

    `bodies` are the texts of what is wrong now. `sent` holds when each alert was last sent (Unix seconds).
    Only what is in `judged` can be over.
    """
    alerts: list[Alert] = []
    after = {name: at for name, at in sent.items() if name not in judged}
    for code, body in bodies.items():
        last = sent.get(code)
        again = last is not None and now - datetime.fromtimestamp(last, UTC) >= REMIND_AFTER
        if last is None or again:
            alerts.append(Alert("reminder" if again else "new", code, body))
        after[code] = now.timestamp() if last is None or again else last
    over = [name for name in sent if name in judged and name not in bodies]
    alerts += [Alert("recovered", name, "It works again.") for name in over]
    return alerts, after


def _is_ripe(finding: Finding, now: datetime) -> bool:
    """Return whether a finding lasts long enough to disturb somebody."""
    patience = PATIENCE.get(finding.code)
    return patience is None or finding.since is None or now - finding.since > patience


def _body(finding: Finding, settings: Settings) -> str:
    fix = fix_text(finding.fix, settings.profile)
    return finding.message + (f"\nfix: {fix}" if fix else "")


def _severity(finding: Finding) -> str:
    """Return Apprise's type of a finding: what waits for the owner, what may pass, what will not."""
    if finding.exit_code is Exit.OK:
        return "info"
    return "warning" if finding.exit_code in {Exit.NO_CONTENT, Exit.TEMPORARY} else "failure"


def _send(address: str, alerts: Sequence[Alert], settings: Settings) -> set[str]:
    """Send alerts to one address, ten seconds at most; return the causes of those that it accepted."""
    accepted: set[str] = set()
    try:
        with hard_limit(DELIVERY_SECONDS):
            for alert in alerts:
                if _accepts(address, alert, settings):
                    accepted.add(alert.cause)
    except (DeadlineError, Exception) as error:  # noqa: BLE001 (a failed delivery must never change the run)
        logger.warning("alert.broken_off", extra={"error": type(error).__name__})
    for alert in alerts:
        good = alert.cause in accepted
        logger.log(
            logging.INFO if good else logging.WARNING,
            "alert.sent" if good else "alert.failed",
            extra={"cause": alert.cause, "kind": alert.kind, "address": _name(address)},
        )
    return accepted


def _accepts(address: str, alert: Alert, settings: Settings) -> bool:
    """Send one alert to one address; return whether it accepted."""
    from apprise import Apprise  # noqa: PLC0415 (half a second that a run without alerts need not spend)

    over = " is over" if alert.kind == "recovered" else ""
    service = Apprise()
    return service.add(address) and bool(
        service.notify(
            title=f"{title(settings.profile)}: {alert.cause}{over}",
            body="\n".join([*map(sanitise, alert.body.splitlines()), *_place(settings)]),
            notify_type=alert.severity,
        )
    )


def _place(settings: Settings) -> list[str]:
    """Return which account and machine an alert is about."""
    name = account_name.known(settings)
    return [*([f"account: {name}"] if name else []), f"machine: {socket.gethostname()}"]


def _addresses(settings: Settings) -> list[str]:
    """Return the addresses of ALERT_URLS as Apprise splits them: a comma may stand within one."""
    try:
        from apprise.utils.parse import parse_urls  # noqa: PLC0415 (as slow as the rest of it)
    except Exception as error:  # noqa: BLE001 (it must never change the run)
        logger.warning("alert.failed", extra={"error": type(error).__name__})
        return []
    given = settings.alert_urls.get_secret_value() if settings.alert_urls else ""
    return list(dict.fromkeys(parse_urls(given)))


def _name(address: str) -> str:
    """Return what an address is called in files: it holds passwords and tokens."""
    return hashlib.sha256(address.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a test went to one address, which is shown without its secrets; `why` is what the service said."""

    address: str
    reached: bool
    why: str = ""


def send_test(settings: Settings) -> list[Delivery]:
    """Send a test to each address of ALERT_URLS and to PING_URL; return how each went."""
    alert = Alert("new", "test", "This is a test. All is well.", "success")
    deliveries = [_try(address, alert, settings) for address in _addresses(settings)]
    if settings.alert_urls and not deliveries:
        deliveries.append(Delivery("ALERT_URLS", reached=False, why="it holds no address that Apprise reads"))
    if settings.ping_url:
        reached = ping(settings, "", "test")
        deliveries.append(Delivery("PING_URL", reached, "" if reached else "it does not answer with success"))
    return deliveries


def _try(address: str, alert: Alert, settings: Settings) -> Delivery:
    """Send one alert to one address and listen to what Apprise says of it."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    apprise_log = logging.getLogger("apprise")
    apprise_log.addHandler(handler)
    try:
        shown = _shown(address)
        reached = bool(_send(address, [alert], settings))
    finally:
        apprise_log.removeHandler(handler)
    hidden = Redactor(settings.secret_values())
    why = "; ".join(dict.fromkeys(hidden(sanitise(text)) for text in said)) or "the service gave no reason"
    return Delivery(shown or "an address that Apprise cannot read", reached, "" if reached else why)


def _shown(address: str) -> str:
    """Return an address without its secrets, empty if Apprise cannot read it."""
    from apprise import Apprise  # noqa: PLC0415 (only commands ask)

    service = Apprise.instantiate(address)
    return str(service.url(privacy=True)).partition("?")[0] if service else ""


def require_readable(settings: Settings) -> int:
    """Return the number of addresses of ALERT_URLS. Raise `ConfigError` for one that Apprise cannot read."""
    addresses = _addresses(settings)
    bad = [number for number, address in enumerate(addresses, 1) if not _shown(address)]
    if bad or not addresses:
        which = f"address {bad[0]} of {len(addresses)}" if bad else "the setting"
        message = f"ALERT_URLS: Apprise cannot read {which}"
        lists = "; https://github.com/caronc/apprise lists the form of each service"
        raise ConfigError(message, Fix("change it in ", env_file(), lists))
    return len(addresses)


def _read(file: Path) -> dict[str, dict[str, float]]:
    """Return when which alert was last sent (Unix seconds), by the name of the address."""
    try:
        data = read_json(file)
        if any(not isinstance(sent, Mapping) for sent in data.values()):
            data = {_EVERY_ADDRESS: data}
        return {name: {str(cause): float(at) for cause, at in sent.items()} for name, sent in data.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(file: Path, sent: Mapping[str, Mapping[str, float]]) -> None:
    with contextlib.suppress(OSError):
        # a run without keys ends before it makes its folder
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(file, json.dumps(sent) + "\n")

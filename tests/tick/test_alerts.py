"""Alerts: the rules case by case, and delivery to real servers on this machine."""

import json
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiosmtpd.controller import Controller

from src import config
from src.domain.errors import ConfigError, DamagedError, StorageError
from src.domain.fixes import Fix
from src.domain.posts import Post, Status
from src.domain.runs import Exit, RunOutcome, TickResult
from src.posting.breaker import BreakerState
from src.watch import alerts, health, ping
from src.watch.alerts import due
from src.watch.facts import Code, Facts, Login, Maintenance, Outside, Review, Stock
from tests import fake_x

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
GOOD = TickResult(Exit.OK, RunOutcome.POSTED, "posted 1")
SETTINGS = config.load({})


def sent(**ago):
    """A post whose outcome is open, sent that long ago."""
    return Post(7, "A text.", Status.UNKNOWN, sent_at=NOW - timedelta(**ago))


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (Facts(breaker=BreakerState(True, NOW, 3, "no-credits", Fix("buy credits"), NOW)), "blocked"),
        (Facts(unknown=(sent(minutes=121),)), "unknown"),
        (Facts(result=GOOD, failures=3), "failures"),
        (Facts(last_posted=NOW - timedelta(hours=7)), "silence"),
        (Facts(watched_since=NOW - timedelta(hours=7)), "silence"),
        (Facts(result=TickResult(Exit.OK, RunOutcome.BUDGET, "spent", "raise it")), "budget"),
        (Facts(model_failures=3), "model"),
        (Facts(failure=TickResult(Exit.CONFIG, RunOutcome.TROUBLE, "no file", "name one")), "settings"),
        (Facts(failure=TickResult(Exit.IO, RunOutcome.TROUBLE, "disk full", "make room")), "database"),
        (Facts(failure=TickResult(Exit.TEMPORARY, RunOutcome.LOCKED, "held")), "database"),
        (Facts(failure=TickResult(Exit.BUG, RunOutcome.TROUBLE, "a bug: KeyError: 'row'")), "bug"),
        (Facts(library=Stock(100, 4.2)), "library"),
        (Facts(login=Login(NOW)), "login"),
        (Facts(outside=Outside(NOW, ()), failures=3), "failures"),
        (Facts(outside=Outside(NOW - timedelta(hours=3), ())), "not-running"),
        (Facts(maintenance=Maintenance(DamagedError("torn", "restore it"), checked=False)), "damage"),
        (Facts(maintenance=Maintenance(StorageError("no room", "make room"), checked=True)), "backup"),
    ],
)
def test_rules(facts, code):
    """Each rule finds what is wrong, says it, and names what to do."""
    (finding,) = health.find(facts, SETTINGS, NOW)
    assert finding.code == code
    assert finding.message
    assert finding.fix


def test_before_the_first_run():
    """Missing keys come first, then that nothing has run; each names what to do."""
    findings = health.find(Facts(outside=Outside(None, ("TWITTER_API_KEY",))), SETTINGS, NOW)
    assert [finding.code for finding in findings] == ["credentials", "not-running"]
    assert all(finding.fix for finding in findings)


def test_all_is_well():
    """A healthy run has no cause, whatever is merely close to a limit."""
    facts = Facts(
        result=GOOD,
        breaker=BreakerState(),
        unknown=(),
        failures=2,
        model_failures=2,
        last_posted=NOW - timedelta(hours=5),
        library=Stock(50, 5.0),
        login=Login(None),
    )
    assert health.find(facts, SETTINGS, NOW) == ()


def test_once_then_daily_then_recovered():
    """A cause is told at once, again after a day, and its end is told once."""
    wrong, judged = {Code.BLOCKED: "no credits\nfix: buy"}, {Code.BLOCKED}
    first, told = due(wrong, {}, NOW, judged)
    assert [(a.kind, a.cause) for a in first] == [("new", "blocked")]
    assert "fix: buy" in first[0].body
    assert due(wrong, told, NOW + timedelta(hours=23), judged)[0] == []
    again, told = due(wrong, told, NOW + timedelta(hours=24), judged)
    assert [a.kind for a in again] == ["reminder"]
    over, told = due({}, told, NOW + timedelta(hours=25), judged)
    assert [a.kind for a in over] == ["recovered"]
    assert due({}, told, NOW + timedelta(hours=26), judged) == ([], {})


def test_an_open_outcome_disturbs_nobody_for_two_hours(tmp_path, hook):
    """The next runs may settle it: `status` says it at once, the alert waits; then it names the command that settles it."""
    settings = config.load(
        {"ALERT_URLS": f"json://127.0.0.1:{hook.server_port}/hook", "DATA_DIR": str(tmp_path)}
    )
    for minutes in (0, 119, 120):
        facts = Facts(unknown=(sent(minutes=minutes),))
        assert [f.code for f in health.find(facts, settings, NOW)] == ["unknown"]
        alerts.watch(facts, settings, NOW)
    assert hook.seen == []
    alerts.watch(Facts(unknown=(sent(minutes=121),)), settings, NOW)
    (told,) = (json.loads(body) for _, body in hook.seen)
    assert told["title"] == "twitter_manager: unknown"
    assert "`reconcile 7 --posted TWEET_ID`" in told["message"]


def test_what_was_not_looked_at_is_not_over(tmp_path, hook):
    """A run that an error ended saw nothing of the rest: it ends no alert, not even that of another error."""
    settings = config.load(
        {"ALERT_URLS": f"json://127.0.0.1:{hook.server_port}/hook", "DATA_DIR": str(tmp_path)}
    )
    wrong = Facts(
        result=GOOD, breaker=BreakerState(True, NOW, 3, "no-credits", Fix("buy credits"), NOW), failures=3
    )
    alerts.watch(wrong, settings, NOW)
    for code in (Exit.IO, Exit.CONFIG):
        alerts.watch(Facts(failure=TickResult(code, RunOutcome.TROUBLE, "no", Fix("do"))), settings, NOW)
    alerts.watch(Facts(maintenance=Maintenance(None, checked=True)), settings, NOW)
    names = [json.loads(body)["title"].removeprefix("twitter_manager: ") for _, body in hook.seen]
    assert names == ["blocked", "failures", "database", "settings"]
    alerts.watch(Facts(result=GOOD, failures=0), settings, NOW)
    names = [json.loads(body)["title"].removeprefix("twitter_manager: ") for _, body in hook.seen[4:]]
    assert sorted(names) == ["database is over", "failures is over", "settings is over"]


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A busy machine must not look like a service that hangs."""
    monkeypatch.setattr(alerts, "DELIVERY_SECONDS", 100)
    monkeypatch.setattr(ping, "PING_SECONDS", 100)


def test_a_blocked_account_is_told_once_and_its_end_too(world, hook):
    """Over a whole story (blocked, still blocked, a day later, healed) the webhook gets: alert, reminder, recovery."""
    world.extra |= {
        "ALERT_URLS": f"json://127.0.0.1:{hook.server_port}/hook",
        "PING_URL": f"http://127.0.0.1:{hook.server_port}/ping",
        "ALERT_NO_POST_HOURS": "720",
        "ALERT_AFTER_FAILURES": "100",
    }
    world.x.always_post = fake_x.no_credits()
    for _ in range(4):
        world.tick()
        world.next_slot()
    bodies = [json.loads(body) for path, body in hook.seen if path == "/hook"]
    assert len(bodies) == 1
    assert "no credits are left" in bodies[0]["message"]
    assert "buy credits" in bodies[0]["message"]
    world.move(hours=24)
    world.tick()
    world.x.always_post = None
    world.move(hours=12)
    assert world.tick().outcome == "posted"
    titles = [json.loads(body)["title"] for path, body in hook.seen if path == "/hook"]
    assert titles == [
        "twitter_manager: blocked",
        "twitter_manager: blocked",
        "twitter_manager: blocked is over",
    ]
    pings = [path for path, _ in hook.seen if path.startswith("/ping")]
    assert pings[:2] == ["/ping/start", "/ping/fail"]
    assert pings[-2:] == ["/ping/start", "/ping"]


def test_delivery_trouble_never_changes_the_run(world, hook):
    """A webhook that fails, hangs or is not there costs nothing but a log line, and the alert is tried again."""
    world.extra |= {
        "ALERT_URLS": f"json://127.0.0.1:{hook.server_port}/hook,json://127.0.0.1:9/none",
        "PING_URL": "http://127.0.0.1:9/ping",
        "ALERT_LOW_LIBRARY_DAYS": "0",
        "ALERT_NO_POST_HOURS": "1",
    }
    hook.status = 500
    world.tick()
    world.x.always_post = fake_x.no_credits()
    world.move(hours=3)
    assert world.tick().exit_code == 77
    world.move(hours=1)
    assert world.tick().exit_code == 77
    told = (
        json.loads((world.folder / "data" / "alerts.json").read_text())
        if (world.folder / "data" / "alerts.json").exists()
        else {}
    )
    assert told == {}
    assert len(hook.seen) >= 4


def test_email(tmp_path):
    """An alert arrives by real SMTP with cause and fix."""
    got = []

    class Box:
        async def handle_DATA(self, server, session, envelope):
            got.append(envelope.content.decode())
            return "250 OK"

    class OnAnyPort(Controller):
        def _create_server(self):
            taken = socket.create_server((self.hostname, 0))
            self.port = taken.getsockname()[1]
            return self.loop.create_server(self._factory_invoker, sock=taken)

    controller = OnAnyPort(Box(), hostname="127.0.0.1", ready_timeout=60)
    controller.start()
    try:
        settings = config.load(
            {
                "ALERT_URLS": f"mailto://127.0.0.1:{controller.port}/?from=bot@example.org&to=me@example.org&mode=insecure",
                "DATA_DIR": str(tmp_path),
            }
        )
        alerts.watch(BLOCKED, settings, NOW)
    finally:
        controller.stop()
    body = got[0].replace("=\r\n", "")
    assert "fix: buy credits" in body
    assert f"machine: {socket.gethostname()}" in body


@pytest.mark.timeout(60)
def test_delivery_is_bounded(monkeypatch, hook):
    """A service that never answers is left after the limit, however long its own limit is."""
    monkeypatch.setattr(alerts, "DELIVERY_SECONDS", 0.5)
    hook.answers.clear()
    settings = config.load({"ALERT_URLS": f"json://127.0.0.1:{hook.server_port}/slow?rto=100&cto=100"})
    (delivery,) = alerts.send_test(settings)
    assert not delivery.reached
    assert not hook.answers.is_set()


def test_database_trouble_is_told(world, hook):
    """A broken database is told although nothing can be read from it."""
    world.extra |= {"ALERT_URLS": f"json://127.0.0.1:{hook.server_port}/hook"}
    world.tick()
    world.database.write_bytes(b"no database" * 500)
    with pytest.raises(Exception, match="set aside"):
        world.tick()
    assert "set aside" in json.loads(hook.seen[-1][1])["message"]


def test_addresses_are_secrets(tmp_path):
    """Alert addresses hold tokens: settings mask them, the redactor knows them."""
    settings = config.load({"ALERT_URLS": "slack://TokenA/TokenB/TokenC, ntfy://secret-topic"})
    assert "TokenA" not in repr(settings)
    assert "ntfy://secret-topic" in settings.secret_values()


BLOCKED = Facts(result=GOOD, breaker=BreakerState(True, NOW, 3, "no-credits", Fix("buy credits"), NOW))
WELL = Facts(result=GOOD, breaker=BreakerState())


def told(hook, path):
    """The titles that arrived at a path, without the program's name."""
    return [
        json.loads(body)["title"].partition(": ")[2]
        for got, body in hook.seen
        if got.partition("?")[0] == path
    ]


def test_a_comma_within_an_address(tmp_path, hook):
    """Apprise splits the list: an address with a comma is one, gets its alert once, and others beside it get theirs."""
    port = hook.server_port
    urls = f"json://127.0.0.1:{port}/a?+X-To=a@x.org,b@x.org, json://127.0.0.1:{port}/b json://127.0.0.1:{port}/c"
    settings = config.load({"ALERT_URLS": urls, "DATA_DIR": str(tmp_path)})
    for _ in range(6):
        alerts.watch(BLOCKED, settings, NOW)
    for _ in range(6):
        alerts.watch(WELL, settings, NOW)
    for path in ("/a", "/b", "/c"):
        assert told(hook, path) == ["blocked", "blocked is over"]


@pytest.mark.parametrize("bad", ["json://127.0.0.1:9/down", "nothing://that.is/known"])
@pytest.mark.parametrize("first", [True, False])
def test_an_address_that_is_down_costs_the_others_nothing(tmp_path, hook, bad, first):
    """The address that works gets each alert once; the other gets it when it works again, and only if it lasts."""
    good = f"json://127.0.0.1:{hook.server_port}/good"
    urls = f"{bad}, {good}" if first else f"{good}, {bad}"
    settings = config.load({"ALERT_URLS": urls, "DATA_DIR": str(tmp_path)})
    for minutes in range(6):
        alerts.watch(BLOCKED, settings, NOW + timedelta(minutes=minutes))
    assert told(hook, "/good") == ["blocked"]
    alerts.watch(BLOCKED, settings, NOW + timedelta(hours=24))
    assert told(hook, "/good") == ["blocked", "blocked"]
    for _ in range(3):
        alerts.watch(WELL, settings, NOW + timedelta(hours=25))
    assert told(hook, "/good") == ["blocked", "blocked", "blocked is over"]


def test_an_address_that_comes_back(tmp_path, hook):
    """What it missed and what lasts is told; what is over without its having heard of it is not."""
    settings = config.load(
        {"ALERT_URLS": f"json://127.0.0.1:{hook.server_port}/hook", "DATA_DIR": str(tmp_path)}
    )
    hook.status = 500
    alerts.watch(BLOCKED, settings, NOW)
    hook.status = 200
    hook.seen.clear()
    alerts.watch(WELL, settings, NOW)
    assert hook.seen == []
    alerts.watch(BLOCKED, settings, NOW)
    assert told(hook, "/hook") == ["blocked"]


def test_an_address_that_is_new(tmp_path, hook):
    """It hears what is wrong now; the others hear nothing again, and the order of the list means nothing."""
    one, two = (f"json://127.0.0.1:{hook.server_port}/{name}" for name in ("one", "two"))
    for urls in (one, f"{one},{two}", f"{two} {one}"):
        alerts.watch(BLOCKED, config.load({"ALERT_URLS": urls, "DATA_DIR": str(tmp_path)}), NOW)
    assert (told(hook, "/one"), told(hook, "/two")) == (["blocked"], ["blocked"])


def test_the_file_of_the_version_before(tmp_path, hook):
    """What 0.1.0 has sent went to every address: nothing is sent again, and its end is told."""
    (tmp_path / "alerts.json").write_text(json.dumps({"blocked": NOW.timestamp()}))
    port = hook.server_port
    urls = f"json://127.0.0.1:{port}/one,json://127.0.0.1:{port}/two"
    settings = config.load({"ALERT_URLS": urls, "DATA_DIR": str(tmp_path)})
    alerts.watch(BLOCKED, settings, NOW)
    assert hook.seen == []
    alerts.watch(WELL, settings, NOW)
    assert (told(hook, "/one"), told(hook, "/two")) == (["blocked is over"], ["blocked is over"])


def test_the_file_names_no_address(tmp_path, hook):
    """What was sent is kept by a digest of the address, which holds a password."""
    urls = f"json://user:password@127.0.0.1:{hook.server_port}/hook"
    alerts.watch(BLOCKED, config.load({"ALERT_URLS": urls, "DATA_DIR": str(tmp_path)}), NOW)
    kept = (tmp_path / "alerts.json").read_text()
    assert "blocked" in kept
    assert not any(word in kept for word in ("password", "user", "127.0.0.1"))


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (BLOCKED, "failure"),
        (Facts(result=GOOD, library=Stock(4, 4.0)), "warning"),
        (Facts(last_posted=NOW - timedelta(days=2)), "warning"),
        (Facts(review=Review(awaited=True, drafts=2)), "info"),
    ],
)
def test_the_severity_of_an_alert(tmp_path, hook, facts, kind):
    """What will not pass by itself is a failure, what may pass a warning, what waits for the owner an information."""
    address = f"json://127.0.0.1:{hook.server_port}/hook"
    settings = config.load({"ALERT_URLS": address, "DATA_DIR": str(tmp_path)})
    alerts.watch(facts, settings, NOW)
    (sent_alert,) = (json.loads(body) for _, body in hook.seen)
    assert sent_alert["type"] == kind
    assert sent_alert["message"].endswith(f"machine: {socket.gethostname()}")
    alerts.watch(WELL, settings, NOW)
    if facts is BLOCKED:
        assert json.loads(hook.seen[-1][1])["type"] == "success"


def test_each_address_says_whether_it_was_reached(tmp_path, hook):
    """A dead port says why, without a secret; an address that cannot be is named as such, and refused by `check`."""
    port = hook.server_port
    given = f"json://user:top-secret-word@127.0.0.1:{port}/hook,json://127.0.0.1:9/dead,tgram://"
    settings = config.load({"ALERT_URLS": given, "DATA_DIR": str(tmp_path)})
    good, dead, bad = alerts.send_test(settings)
    assert (good.reached, good.why) == (True, "")
    assert "top-secret-word" not in good.address
    assert not dead.reached
    assert dead.address.startswith("json://127.0.0.1:9/dead")
    assert dead.why
    assert (bad.reached, bad.address) == (False, "an address that Apprise cannot read")
    with pytest.raises(ConfigError, match="Apprise cannot read address 3 of 3"):
        alerts.require_readable(settings)
    assert alerts.require_readable(config.load({"ALERT_URLS": f"json://127.0.0.1:{port}/hook"})) == 1
    with pytest.raises(ConfigError, match="Apprise cannot read address 1 of 1"):
        alerts.require_readable(config.load({"ALERT_URLS": "foo"}))


def test_one_alert_for_one_cause():
    """Runs that fail because X refuses the account are told as that, not as failures too."""
    refused = TickResult(Exit.BLOCKED, RunOutcome.BLOCKED, "X refused")
    facts = replace(BLOCKED, result=refused, failures=5)
    assert [f.code for f in health.find(facts, SETTINGS, NOW)] == ["blocked"]
    other = replace(facts, result=TickResult(Exit.IO, RunOutcome.TROUBLE, "the disk is full"))
    assert [f.code for f in health.find(other, SETTINGS, NOW)] == ["blocked", "failures", "database"]

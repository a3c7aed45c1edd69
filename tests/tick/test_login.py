"""`login` and the renewal of its tokens: whole flows against the fake X, every way they fail, and kills in the middle."""

import io
import json
import re
import stat
import sys
from argparse import Namespace
from datetime import UTC, datetime, timedelta

import pytest

from src import config
from src.commands.check import _check_credentials, _check_online
from src.domain.answers import Outcome
from src.domain.errors import ConfigError, ProgramError, StorageError
from src.domain.logins import PinLogin, RenewableLogin
from src.domain.runs import Exit
from src.system import log
from src.system.clock import Clock
from src.system.lock import writer_lock
from src.twitter_handler import XClient
from src.twitter_manager import run_tick
from src.upkeep import login as x_login
from src.x import credentials
from src.x.responses import read_tokens
from tests import fake_x
from tests.support.logins import allow, app_keys_only, give_login, kept, secrets_shown

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)


@pytest.fixture
def still(tmp_path):
    """A world in real time, which subprocesses share; only the app's keys are in `.env`."""
    with app_keys_only(tmp_path) as world:
        yield world


# ---- login, as a person does it -------------------------------------------------------------------------------


# ---- login that fails: in this process, over real HTTP --------------------------------------------------------


class Owner(io.StringIO):
    """Standard input of an owner who answers with `answer(everything printed)`."""

    def __init__(self, capsys, answer):
        super().__init__()
        self.capsys, self.answer = capsys, answer

    def readline(self, *_):
        return self.answer(self.capsys.readouterr().out) + "\n"


def attempt(world, monkeypatch, capsys, answer, *, oauth2=False):
    """One login in this process: the trouble that it ends with."""
    monkeypatch.setattr(sys, "stdin", Owner(capsys, answer))
    with pytest.raises(ProgramError) as caught:
        x_login.run(Namespace(oauth2=oauth2, json=False), world.settings, Clock())
    assert "nothing was changed" in str(caught.value)
    assert caught.value.fix
    assert not secrets_shown(world, str(caught.value), caught.value.fix.render(), capsys.readouterr().out)
    assert kept(world) is None
    return caught.value


def address_in(printed):
    return re.search(r"http://\S+/i/oauth2/authorize\S+", printed)[0]


def paste(printed):
    return allow(address_in(printed))


BROKEN = {
    "503": (lambda: fake_x.server_error(503, accept=False), 75),
    "html": (lambda: fake_x.html_200(accept=False), 75),
    "reset": (lambda: fake_x.reset(accept=False), 75),
    "closed": (lambda: fake_x.close(accept=False), 75),
    "hang": (lambda: fake_x.hang(accept=False), 75),
    "garbage": (lambda: fake_x.answer(200, "\x00\xff{{{"), 75),
    "null": (lambda: fake_x.answer(200, "null"), 75),
    "401": (fake_x.unauthorized, 77),
    "redirect": (lambda: fake_x.redirect(307), 75),
}


@pytest.mark.parametrize("step", ["request token", "access token", "code"])
@pytest.mark.parametrize("name", BROKEN)
def test_broken_answers(still, monkeypatch, capsys, step, name):
    """Whatever X answers at whichever step: an exit code, a fix, no token in the words, nothing written."""
    fault, code = BROKEN[name]
    if name == "hang":
        still.extra |= {"READ_TIMEOUT_SECONDS": "0.1", "CONNECT_TIMEOUT_SECONDS": "0.1"}
    still.x.on_token(*([fake_x.ok()] if step == "access token" else []), fault())
    trouble = attempt(
        still, monkeypatch, capsys, paste if step == "code" else lambda _: "1234567", oauth2=step == "code"
    )
    if name == "redirect":
        return
    assert trouble.exit_code == code


def test_wrong_pin(still, monkeypatch, capsys):
    """A PIN that X does not know: 77, and how to begin again."""
    trouble = attempt(still, monkeypatch, capsys, lambda _: "7654321")
    assert (trouble.exit_code, "again" in trouble.fix.render()) == (Exit.BLOCKED, True)


@pytest.mark.parametrize("typed", ["", "12 34", "http://127.0.0.1/"])
def test_no_pin(still, monkeypatch, capsys, typed):
    """Nothing or nonsense typed: 2, and no request is made with it."""
    assert attempt(still, monkeypatch, capsys, lambda _: typed).exit_code == Exit.USAGE
    assert [r.path for r in still.x.requests] == ["/oauth/request_token"]


def test_denied(still, monkeypatch, capsys):
    """The owner pressed Cancel on x.com."""
    still.x.oauth2.codes_denied = True
    trouble = attempt(still, monkeypatch, capsys, paste, oauth2=True)
    assert (trouble.exit_code, "not allowed" in str(trouble)) == (Exit.BLOCKED, True)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda a: a.partition("?")[0], 2),
        (lambda a: re.sub("code=[^&]*&", "", a), 2),
        (lambda a: re.sub("code=[^&]*", "code=x", a), 77),
    ],
)
def test_addresses_that_are_not_whole(still, monkeypatch, capsys, change, code):
    """A part of the address, one without a code, one with a code that X does not know."""
    assert (
        attempt(still, monkeypatch, capsys, lambda said: change(paste(said)), oauth2=True).exit_code == code
    )


def test_fewer_rights(still, monkeypatch, capsys):
    """A login that may not post is refused before it is kept."""
    scopes = {
        "access_token": "access-1",
        "refresh_token": "refresh-1",
        "expires_in": 7200,
        "scope": "tweet.read users.read",
    }
    still.x.on_token(fake_x.answer(200, json.dumps(scopes)))
    still.x.oauth2.access_tokens["access-1"] = still.x.now() + 60
    assert attempt(still, monkeypatch, capsys, paste, oauth2=True).exit_code == Exit.BLOCKED


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (fake_x.unauthorized(), 77),
        (fake_x.server_error(503, accept=False), 75),
        (fake_x.answer(200, '{"data":{"id":"../me"}}'), 75),
    ],
)
def test_an_account_without_a_number(still, monkeypatch, capsys, fault, code):
    """Without the account's number the timeline could not be read: such a login is not kept."""
    still.x.on_me(fault)
    assert attempt(still, monkeypatch, capsys, paste, oauth2=True).exit_code == code


def test_another_account(world, monkeypatch, capsys):
    """Tokens of another account than the one this database belongs to are refused: it does not know its tweets."""
    world.warm()
    world.x.credentials = fake_x.Credentials(access_token="99-otherToken")
    monkeypatch.setattr(sys, "stdin", io.StringIO("1234567\n"))
    settings = config.load(
        {**world.env, "TWITTER_ACCESS_TOKEN": "1234567890-fakeAccessToken0123456789abcdef"}
    )
    with pytest.raises(ProgramError, match="another account"):
        x_login.run(Namespace(oauth2=False, json=False), settings, Clock())
    assert kept(world) is None


# ---- renewal --------------------------------------------------------------------------------------------------


def test_not_renewed_before_it_is_due(world):
    """A run with eleven minutes left, and no long deadline, posts with the token it has."""
    give_login(world, minutes=11)
    assert world.tick().outcome == "posted"
    assert world.x.oauth2.token_requests == 0


def test_renewed_for_a_day(world):
    """Over a day of hourly runs the tokens are renewed as they come due, each refresh token is used once, and every slot is posted."""
    give_login(world)
    for _ in range(24):
        assert world.tick().outcome == "posted"
        world.next_slot()
    state = world.x.oauth2
    assert 11 <= state.token_requests == len(state.used) <= 24
    assert not state.revoked
    assert stat.S_IMODE((world.folder / "data" / "credentials.json").stat().st_mode) == 0o600
    assert not secrets_shown(world)
    world.check_promise()


def test_nothing_is_renewed_while_nothing_is_due(world):
    """A run with nothing to do does not touch the tokens, however old they are."""
    give_login(world)
    world.tick()
    world.move(minutes=50)
    world.x.oauth2.life = 1
    for _ in range(3):
        assert world.tick().outcome == "nothing-due:slot-used"
    assert world.x.oauth2.token_requests == 0


def test_an_ended_login(world, hook):
    """X takes the refresh token no more: nothing is claimed or sent, 77 with the command to type, an alert; a new login heals at once."""
    world.extra |= {"ALERT_URLS": f"json://127.0.0.1:{hook.server_port}/hook", "ALERT_AFTER_FAILURES": "100"}
    world.warm()
    give_login(world, minutes=1)
    world.x.oauth2.refresh_token = "another"
    for _ in range(4):
        result = world.tick()
        assert (result.exit_code, "login --oauth2" in result.fix.render()) == (Exit.BLOCKED, True)
    assert world.x.posts_seen() == len(world.ours()) == 1  # the warm one
    bodies = [json.loads(body) for _, body in hook.seen]
    assert [b["title"] for b in bodies] == ["twitter_manager: blocked"]
    assert "login --oauth2" in bodies[0]["message"]
    give_login(world)
    x_login._keep(world.settings, kept(world), Clock())
    assert world.tick().outcome == "posted"
    assert not secrets_shown(world, json.dumps(bodies))


NO_ANSWER = {
    "503": lambda accept: fake_x.server_error(503, accept=accept),
    "hang": lambda accept: fake_x.hang(accept),
    "reset": lambda accept: fake_x.reset(accept),
    "closed": lambda accept: fake_x.close(accept),
    "garbage": lambda accept: fake_x.garbage_201(accept),
    "html": lambda accept: fake_x.html_200(accept),
    "no tokens": lambda accept: fake_x.answer(200, '{"access_token":"access-9"}', accept),
    "null": lambda accept: fake_x.answer(200, "null", accept),
}


@pytest.mark.parametrize("name", NO_ANSWER)
def test_no_trustworthy_answer(world, name):
    """X did not renew and its answer is lost: asked once more with the old token, which works, and the tweet goes out."""
    world.extra |= {"READ_TIMEOUT_SECONDS": "0.3"} if name == "hang" else {}
    give_login(world, minutes=5)
    world.x.on_token(NO_ANSWER[name](False))
    assert world.tick().outcome == "posted"
    assert (world.x.oauth2.token_requests, kept(world).refresh) == (2, "refresh-1")


@pytest.mark.parametrize("name", ["503", "reset", "garbage"])
def test_renewed_but_the_answer_is_lost(world, name):
    """X renewed and the answer is lost: the login is over, nothing is sent, and the owner is told how to mend it."""
    give_login(world, minutes=5)
    world.x.on_token(NO_ANSWER[name](True))
    result = world.tick()
    assert (result.exit_code, "login --oauth2" in result.fix.render()) == (Exit.BLOCKED, True)
    assert world.x.oauth2.token_requests == 2
    assert world.x.posts_seen() == 0
    assert world.ours() == []


@pytest.mark.parametrize(("minutes", "outcome", "code"), [(5, "posted", 0), (-5, "not-sent", 75)])
def test_the_endpoint_is_down(world, minutes, outcome, code):
    """While the endpoint is down the old access token serves until it ends; after that the slot waits, and is used when X is back."""
    world.warm()
    give_login(world, minutes=minutes)
    world.x.on_token(*[fake_x.server_error(503, accept=False)] * 2)
    result = world.tick()
    assert (result.outcome, result.exit_code) == (outcome, code)
    assert world.x.posts_seen() == 1 + (outcome == "posted")
    world.move(minutes=10)
    world.tick()
    assert world.x.posts_seen() == 2
    world.check_promise()


def test_the_endpoints_limit_is_respected(world):
    """A 429 of the endpoint, with no access token left: 75, and the next runs wait until then."""
    world.warm()
    give_login(world, minutes=-5)
    world.x.on_token(fake_x.rate_limited(int(world.x.now()) + 600))
    assert world.tick().exit_code == Exit.TEMPORARY
    world.move(minutes=5)
    world.tick()
    assert world.x.oauth2.token_requests == 1
    world.move(minutes=6)
    assert world.tick().outcome == "posted"


def test_a_client_that_x_does_not_know(world):
    """A wrong client secret: the fix names the two settings, not a new login."""
    give_login(world, minutes=1)
    world.extra |= {"TWITTER_CLIENT_SECRET": "wrongSecret0123456789"}
    result = world.tick()
    assert (result.exit_code, "TWITTER_CLIENT_SECRET" in result.fix.render()) == (Exit.BLOCKED, True)
    world.extra |= {"TWITTER_CLIENT_SECRET": ""}  # a public client
    world.move(hours=24)
    assert world.tick().outcome == "posted"


def test_a_revoked_access_token(world):
    """X refuses a token that has hours left: the fix is a login, not new keys, and the text waits."""
    give_login(world)
    world.x.oauth2.access_tokens.clear()
    result = world.tick()
    assert result.exit_code == Exit.BLOCKED
    assert "login --oauth2" in result.fix.render()
    assert ".env" not in result.fix.render()


def test_an_answer_that_repeats_tokens(world, capsys):
    """X, or a proxy, repeats old and new tokens in its answers: they are in no result, log, database or terminal line."""
    give_login(world, minutes=5)
    world.x.on_post(
        fake_x.refuse(
            403, title="Forbidden", status=403, detail="no: Bearer access-1, before access-0 refresh-0"
        )
    )
    result = world.tick()
    assert result.exit_code == Exit.BLOCKED
    log.say("refresh-1 access-1")
    world.move(hours=2, minutes=1)
    world.x.on_token(fake_x.refuse(400, error="invalid_request", error_description="no: refresh-1 access-1"))
    assert "***" in (ended := world.tick()).message
    said = capsys.readouterr()
    database = world.database.read_bytes().decode("latin-1")
    assert not secrets_shown(world, str(result), str(ended), said.out, said.err, database)


def test_no_room_for_new_tokens(world):
    """Without room on the disk X is not even asked: 74, and the old tokens stay good."""
    give_login(world, minutes=5)
    file = world.folder / "data" / "credentials.json"
    (file.parent / "credentials.json.new").mkdir()
    with pytest.raises(StorageError, match="no tokens can be written"):
        world.tick()
    assert world.x.oauth2.token_requests == 0
    (file.parent / "credentials.json.new").rmdir()
    assert world.tick().outcome == "posted"


# ---- kills and races -------------------------------------------------------------------------------------------


def test_check_renews_under_the_lock(world):
    """`check --online` renews a login that is due, and not while a run may be doing the same."""
    give_login(world, minutes=5)
    with writer_lock(world.database) as ours:
        assert ours
        with pytest.raises(ProgramError, match="another run"):
            _check_online(world.settings, Clock())
    assert world.x.oauth2.token_requests == 0
    assert "X accepts the keys" in _check_online(world.settings, Clock())
    assert kept(world).refresh == "refresh-1"


def test_a_login_that_another_run_renewed(world):
    """Settings that were read before another run renewed the tokens: the file is read again under the lock."""
    give_login(world, minutes=5)
    stale = world.settings
    assert world.tick().outcome == "posted"
    assert XClient(stale, Clock().now).ready() is None
    assert world.x.oauth2.token_requests == 1


def test_an_ended_login_deletes_nothing(world):
    """`undo` with a login that X does not renew: X is not asked to delete, and the fix is a new login."""
    world.warm()
    give_login(world, minutes=-5)
    world.x.on_token(fake_x.refuse(400, error="invalid_grant"))
    (tweet,) = (t for t in world.x.accepted if t.via == "api")
    result = XClient(world.settings, Clock().now).delete(int(tweet.id))
    assert (result.outcome, "login --oauth2" in result.fix.render()) == (Outcome.BLOCKED, True)
    assert tweet.text in world.x.texts()


def test_a_login_that_may_not_write(world):
    """X says that the app is read-only: the fix names the app's setting and the login, not keys that this account does not use."""
    give_login(world)
    world.x.on_post(fake_x.read_only())
    result = world.tick()
    assert (
        result.exit_code,
        "Read and write" in result.fix.render(),
        "login --oauth2" in result.fix.render(),
    ) == (
        Exit.BLOCKED,
        True,
        True,
    )


def test_the_file_vanishes_during_a_run(world):
    """A login that is removed after the settings were read: this run goes on with what it read."""
    give_login(world)
    read = world.settings
    (world.folder / "data" / "credentials.json").unlink()
    assert XClient(read, Clock().now).ready() is None
    assert XClient(read, Clock().now).send("Sent with what was read.").outcome is Outcome.POSTED


def test_the_file_breaks_during_a_run(world):
    """A login's file that can no longer be read when the run ends spoils neither the run nor its alerts."""
    give_login(world)
    assert world.tick().outcome == "posted"
    read = world.settings
    (world.folder / "data" / "credentials.json").write_text("{")
    assert run_tick(read, Clock(), "later", world.texts).outcome == "nothing-due:slot-used"


# ---- the file, and the pure rules -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[]",
        "{",
        '{"kind":"oauth3"}',
        '{"kind":"oauth1","token":"a b","token_secret":"x","at":1}',
        '{"kind":"oauth1","token":"a","at":1}',
        '{"kind":"oauth2","access":"a","refresh":"b","expires_at":1,"issued_at":1,"user_id":"1/../2","scopes":[]}',
        "[" * 100_000,
    ],
)
def test_a_file_that_cannot_be_used(tmp_path, content):
    """A broken file is told with what to do; it never becomes half a login."""
    file = tmp_path / "credentials.json"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        credentials.load(file)
    assert "login" in caught.value.fix.render()


def test_the_file_wins_over_env(world):
    """The tokens of a login are used in the place of those in `.env`; the file before is kept for the owner."""
    world.extra |= {"TWITTER_ACCESS_TOKEN": "1234567890-old", "TWITTER_ACCESS_TOKEN_SECRET": "old"}
    assert world.tick().exit_code == Exit.BLOCKED
    c = world.x.credentials
    file = world.folder / "data" / "credentials.json"
    for login in (PinLogin("1-older", "older", NOW), PinLogin(c.access_token, c.access_token_secret, NOW)):
        credentials.reserve(file)
        credentials.save(file, login)
    assert world.tick().outcome == "posted"
    before = file.with_name("credentials.json.before")
    assert credentials.load(before).token == "1-older"
    assert stat.S_IMODE(before.stat().st_mode) == 0o600


def test_when_a_renewal_is_due():
    """Ten minutes before the end, earlier for runs that may take longer, and when the clock went back behind the issue."""
    login = RenewableLogin("a", "b", NOW + timedelta(hours=2), NOW, "1")
    for minutes, run, due in (
        (0, 0, False),
        (109, 0, False),
        (110, 0, True),
        (119, 0, True),
        (90, 30, True),
        (89, 30, False),
        (-9, 0, False),
        (-11, 0, True),
    ):
        assert (
            credentials.renewal_due(login, NOW + timedelta(minutes=minutes), timedelta(minutes=run)) is due
        ), minutes


def test_a_login_about_to_end(world, hook):
    """A login that no run has renewed for months: an alert two weeks ahead and a FAIL of `check`; a tweet renews it."""
    world.extra |= {"ALERT_URLS": f"json://127.0.0.1:{hook.server_port}/hook", "ALERT_NO_POST_HOURS": "720"}
    assert credentials.lapses_at(RenewableLogin("a", "b", NOW, NOW - timedelta(days=165), "1"), NOW) is None
    give_login(world, minutes=60, age=167)
    assert world.tick().outcome == "posted"
    (body,) = (json.loads(b) for _, b in hook.seen)
    assert body["title"] == "twitter_manager: login"
    assert "login --oauth2" in body["message"]
    with pytest.raises(ProgramError, match="ends on 2026-12-05") as caught:
        _check_credentials(world.settings, Clock().now())
    assert "login --oauth2" in caught.value.fix.render()
    world.next_slot()
    assert world.tick().outcome == "posted"
    assert [json.loads(b)["title"] for _, b in hook.seen][1:] == ["twitter_manager: login is over"]


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"access_token": "a"},
        {"access_token": "a", "refresh_token": "b"},
        {"access_token": "a", "refresh_token": "b", "expires_in": "soon"},
        {"access_token": "a\n", "refresh_token": "b", "expires_in": 7200},
        {"access_token": "a", "refresh_token": ["b"], "expires_in": 7200},
        {"access_token": "a", "refresh_token": "b", "expires_in": 0},
        {"access_token": "a", "refresh_token": "b", "expires_in": 1e300},
        {"access_token": "a" * 5000, "refresh_token": "b", "expires_in": 7200},
    ],
)
def test_answers_without_tokens(data):
    """Only an answer with two sound tokens and a life counts as renewed."""
    login = RenewableLogin("a", "b", NOW, NOW, "1")
    assert read_tokens(data, NOW, login) is None
    assert (
        read_tokens({"access_token": "c", "refresh_token": "d", "expires_in": 7200}, NOW, login).access == "c"
    )


def test_secrets_do_not_show(world):
    """Neither the settings' text nor a log line shows a token, not even one that came during the run."""
    give_login(world)
    settings = world.settings
    assert "access-0" not in repr(settings) + str(settings.login) + repr(settings.login)
    assert {"access-0", "refresh-0"} <= set(settings.secret_values())
    redactor = log.Redactor(["one-secret"])
    redactor.learn(["another-secret"])
    assert redactor("one-secret another-secret") == "*** ***"
    assert credentials.applied(settings).account_id == world.x.credentials.user_id
    assert XClient(settings, Clock().now).send("A text.").outcome is Outcome.POSTED

"""The account on X: what is asked, what is kept of the answer, and how a login is renewed."""

import json
import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from src import config, twitter_handler
from src.domain.answers import Outcome
from src.domain.logins import RenewableLogin
from src.system import log
from src.twitter_handler import XClient
from src.x import credentials
from tests import fake_x
from tests.support.logins import give_login, kept
from tests.support.world import World


@pytest.fixture
def account(tmp_path):
    with fake_x.FakeX() as x:
        yield World(tmp_path, x, None)


def client(world, now=None):
    return XClient(world.settings, lambda: now or datetime.now(UTC))


def asked(world):
    return world.x.requests[-1]


def test_the_number_of_the_account(account):
    """It stands before the hyphen of the access token, or in the login; without either there is none."""
    number = account.x.credentials.user_id
    assert client(account).user_id == number == account.x.credentials.access_token.partition("-")[0]
    give_login(account)
    login = RenewableLogin("a", "b", datetime.now(UTC), datetime.now(UTC), "42")
    file = account.settings.credentials_file
    credentials.reserve(file)
    credentials.save(file, login)
    assert client(account).user_id == "42"
    keys = {"TWITTER_ACCESS_TOKEN": "77-x", "DATA_DIR": str(account.folder / "none")}
    assert XClient(config.load(keys), lambda: datetime.now(UTC)).user_id == "77"
    assert XClient(config.load({"DATA_DIR": keys["DATA_DIR"]}), lambda: datetime.now(UTC)).user_id == ""


def test_a_limit_is_not_waited_for(account):
    """tweepy would wait and post again: it is asked for nothing but one try."""
    account.x.on_post(fake_x.rate_limited(None))
    assert client(account).send("A text.").outcome is Outcome.LATER
    assert account.x.posts_seen() == 1


def test_deleting(account):
    """A tweet is deleted once; that it is not there any more is as good."""
    ours = client(account)
    tweet_id = ours.send("A text.").tweet_id
    assert (ours.delete(tweet_id).outcome, asked(account).path) == (Outcome.DONE, f"/2/tweets/{tweet_id}")
    assert account.x.visible() == []
    account.x.on_delete(fake_x.unauthorized())
    assert ours.delete(tweet_id).outcome is Outcome.BLOCKED


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ((0,), {"max_results": "100"}),
        ((7,), {"max_results": "100", "since_id": "7"}),
        ((7, 3), {"max_results": "5", "since_id": "7"}),
        ((7, 5), {"max_results": "5", "since_id": "7"}),
        ((7, 6, 9), {"max_results": "6", "since_id": "7", "until_id": "9"}),
    ],
)
def test_what_is_asked_of_the_timeline(account, arguments, query):
    """Only the limits that are given, and five items at least: X takes no fewer."""
    assert client(account).timeline(*arguments).healthy
    assert asked(account).query == query


def test_the_rights_of_the_token(account):
    """They stand in the answer to the smallest read that there is; without an answer there are none."""
    account.x.access_level = "read"
    result, level = client(account).access_level()
    assert (result.outcome, level, asked(account).query) == (Outcome.DONE, "read", {"max_results": "5"})
    account.x.on_get(fake_x.close(accept=False))
    result, level = client(account).access_level()
    assert (result.outcome, level) == (Outcome.UNKNOWN, "")


def test_how_long_it_took(account, monkeypatch):
    """The time of the whole exchange in milliseconds, with an answer or without."""
    times = iter([5.0, 7.5, 10.0, 10.25])
    monkeypatch.setattr(twitter_handler, "time", SimpleNamespace(monotonic=lambda: next(times)))
    assert client(account).send("A text.").latency_ms == 2500
    account.x.on_post(fake_x.close(accept=False))
    assert client(account).send("Another.").latency_ms == 250


def test_an_empty_answer(account):
    account.x.on_post(fake_x.empty_201(accept=True))
    result = client(account).send("A text.")
    assert (result.outcome, result.reason, result.http_status) == (Outcome.UNKNOWN, "no-tweet-id", 201)


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_secret_at_the_end_of_the_words(account, status):
    """A secret that an error repeats goes before its words are cut, so that no part of it is left."""
    secret = account.x.credentials.api_secret
    account.x.on_post(fake_x.refuse(status, detail="x" * 195 + secret))
    detail = client(account).send("A text.").detail
    assert detail == ("" if status == 500 else "x" * 195 + "***")


def test_a_tweet_is_read_as_it_is(account):
    """What stands in a sound answer is compared with texts, and is left as it is."""
    text = f"A tweet with {account.x.credentials.api_key} in it."
    account.x.tweet_by_hand(text)
    assert [tweet.text for tweet in client(account).timeline(0).tweets] == [text]


def test_the_number_of_the_exchange(account):
    """It is kept for the support of X, 64 characters of it."""
    account.x.on_post(fake_x.answer(400, "{}", False, ("x-transaction-id", "t" * 65)))
    assert client(account).send("A text.").transaction_id == "t" * 64


# ---- the login ---------------------------------------------------------------------------------------------


@pytest.fixture
def events(monkeypatch):
    """What is logged: level, event and outcome."""
    found = []
    monkeypatch.setattr(
        log.logger, "log", lambda level, event, extra: found.append((level, event, extra["outcome"]))
    )
    return found


def new_beside(world):
    return (world.folder / "data" / "credentials.json.new").exists()


def test_a_renewal_is_logged(account, events):
    give_login(account, minutes=5)
    assert client(account).ready() is None
    assert events == [(logging.INFO, "login.renewed", Outcome.DONE)]
    assert kept(account).refresh == "refresh-1"


def test_a_renewal_is_tried_twice(account, events):
    """Without an answer it is asked once more, not a third time; the room for the tokens is free again."""
    give_login(account, minutes=5)
    account.x.on_token(*[fake_x.server_error(503, accept=False)] * 3)
    assert client(account).ready() is None  # the old token still serves
    assert account.x.oauth2.token_requests == 2
    assert events == [(logging.WARNING, "login.not_renewed", Outcome.UNKNOWN)]
    assert not new_beside(account)


@pytest.mark.parametrize(("seconds", "serves"), [(-1, True), (0, False), (1, False)])
def test_until_when_the_old_token_serves(account, seconds, serves):
    """It serves up to its last second; then the run waits for the next one."""
    give_login(account, minutes=5)
    account.x.on_token(*[fake_x.server_error(503, accept=False)] * 2)
    ours = client(account, kept(account).expires_at + timedelta(seconds=seconds))
    refused = ours.ready()
    assert (refused is None) is serves
    if refused:
        assert refused.fix.render() == "nothing to do: the next run tries again"
        assert ours.ready() is refused
        assert ours.timeline(0).result is refused
        assert ours.delete(7) is refused
        assert ours.look_up([7]).result is refused
        assert [r.path for r in account.x.requests] == ["/2/oauth2/token"] * 2


def test_json_of_the_login_is_whole(account):
    """What was renewed is on the disk before it is used."""
    give_login(account, minutes=5)
    ours = client(account)
    assert ours.ready() is None
    file = json.loads((account.folder / "data" / "credentials.json").read_text())
    assert "access-1" in file.values()
    assert (ours.login.access, ours.send("A text.").outcome) == ("access-1", Outcome.POSTED)

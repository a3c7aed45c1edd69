"""What a run works with: its slot, its times, what it measures, and its account."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from src import config
from src.domain.answers import Outcome, SendResult, TimelineRead
from src.domain.logins import RenewableLogin
from src.domain.results import Lookup
from src.domain.texts import Composition, History
from src.posting.run import DryRunAccount, LazyAccount, no_text
from src.system.clock import Clock
from src.twitter_handler import XClient
from tests.support.scripted import KEYS, Still, scripted_run
from tests.support.stored import NOW, SLOT, put


def test_the_slot_of_a_run():
    """A run takes the open slot; the slot of a day before is the one by which its price is judged."""
    run = scripted_run()
    assert run.slot == SLOT
    assert run.day_before() == NOW.replace(minute=0) - timedelta(days=1)


def test_a_run_without_an_open_slot():
    """In quiet hours no slot is open, and none of a day before."""
    run = scripted_run({"QUIET_HOURS": "14:00-15:00"})
    assert (run.slot, run.day_before()) == ("", None)


def test_the_time_that_is_left():
    """The deadline counts from the start of the run."""
    run = scripted_run({"DEADLINE_SECONDS": "480"})
    assert run.seconds_left() == 480
    run.clock.sleep(100.5)
    assert run.seconds_left() == 379.5


def test_phases_are_measured():
    """Each phase is measured to a tenth of a millisecond until the next begins; one that returns adds up."""
    run = scripted_run()
    run.clock.monotonic = lambda: times.pop(0)
    times = [100.0, 101.23456, 103.0, 103.5, 110.0, 111.0]
    for name in ("settle", "send", "settle", "", "", "due"):
        run.phase(name)
    assert run.metrics == {"settle_seconds": 1.7346, "send_seconds": 1.7654}


def test_amounts_add_up():
    """An amount is added to what was measured before, one by default, to a millionth of a dollar."""
    run = scripted_run()
    run.add("reads")
    run.add("reads")
    run.add("cost_usd", 0.1234567)
    assert run.metrics == {"reads": 2.0, "cost_usd": 0.123457}


def test_the_library_is_read_once():
    """The function that recognises tweets is made when it is first asked for, and kept."""
    run = scripted_run({"BUILTIN_LIBRARY": "false"}, _recognise=None)
    assert callable(run.recognise)
    assert run.recognise is run.recognise


class Client:
    """What `LazyAccount` hands its calls to: it answers with what it was asked."""

    def __getattr__(self, name):
        return lambda *args, **kw: (name, args, kw)


def test_the_lazy_account_hands_on_every_call(monkeypatch):
    """Each call goes to the real account as it came, and its answer comes back."""
    monkeypatch.setattr(LazyAccount, "_client", Client())
    account = LazyAccount(config.load({}), Clock())
    assert account.ready() is None  # keys do not expire
    assert account.send("words") == ("send", ("words",), {})
    assert account.timeline(3, until_id=9) == ("timeline", (3,), {"until_id": 9})
    assert account.delete(7) == ("delete", (7,), {})
    assert account.look_up([7]) == ("look_up", ([7],), {})


def test_the_real_account():
    """It is built when it is first needed, and only a login that expires is renewed."""
    account = LazyAccount(config.load(KEYS), Clock())
    assert isinstance(account._client, XClient)
    assert account._client is account._client


def test_a_login_that_expires(monkeypatch):
    """Its account is asked whether it is ready."""
    monkeypatch.setattr(LazyAccount, "_client", Client())
    login = RenewableLogin("access", "refresh", NOW, NOW, "4711")
    account = LazyAccount(SimpleNamespace(login=login), Clock())
    assert account.ready() == ("ready", (), {})


def test_the_account_of_a_dry_run():
    """It has posted whatever it is given, and nothing that it says proves anything."""
    account = DryRunAccount()
    assert account.ready() is None
    assert account.send("words") == SendResult(Outcome.POSTED, tweet_id=1)
    assert account.timeline(0, until_id=0) == TimelineRead()
    assert account.delete(7) == SendResult(Outcome.NOT_SENT)
    assert account.look_up([7]) == Lookup()


def test_no_text():
    """The composer of commands that write nothing returns no draft."""
    assert no_text(config.load({}), History(), NOW, 1.0) == Composition(None)


@pytest.mark.parametrize("status", ["pending", "posted"])
def test_the_slot_is_fixed_at_the_start(status):
    """Of the open slots a run takes the one whose text waits; where it is used, there is no other."""
    run = scripted_run()
    put(run.db, status, slot=SLOT, tweet_id=7 if status == "posted" else None)
    again = type(run)(run.settings, run.db, run.account, no_text, "again", Still())
    assert again.slot == SLOT

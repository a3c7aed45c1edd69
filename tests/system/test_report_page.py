"""The report's page in a real browser: quiet, readable, narrow enough for a phone, deaf to attacks."""

import re
import threading
from datetime import UTC, datetime
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from src.system.log import sanitise
from src.watch.report import measures
from src.watch.report.page import as_html
from tests.support.browser import new_browser
from tests.support.library import library_read_once
from tests.support.month import attention
from tests.support.needs import need_module
from tests.support.upkeep import open_now
from tests.support.world import new_world

pytestmark = [pytest.mark.needs("browser"), pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def browser():
    need_module("selenium")
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


class Skeleton(HTMLParser):
    """The elements of a page with the names of their attributes: what must not depend on the texts in it."""

    def __init__(self, html):
        super().__init__()
        self.seen = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, *(name for name, _ in attributes)))


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


# ---- the first days ------------------------------------------------------------------------------------------


def young(folder, posts, *, paused=False, **settings):
    """Return the page of an account with so many posts, one an hour if nothing else is wanted."""
    with new_world(folder, RESULTS_AFTER_DAYS="1") as world:
        world.x.figures = attention
        with library_read_once():
            if posts:
                world.warm()
            world.extra |= settings
            while sum(t.via == "api" for t in world.x.accepted) < posts:
                world.tick()
                world.next_slot()
            if paused:
                with open_now(world) as db:
                    db.notes.pause(datetime.now(UTC), None)
            world.extra |= settings
            now = datetime.now(UTC)
            return as_html(measures.read(world.settings, now, 30), world.settings)


YOUNG = [
    (0, {}),
    (1, {}),
    (3, {"paused": True}),
    (40, {"POST_TIMES": "09:00,13:00,18:00", "TIME_ZONE": "Europe/Berlin"}),
    (40, {}),
]


@pytest.mark.parametrize(("posts", "settings"), YOUNG)
def test_the_page_of_the_first_days(browser, site, tmp_path, posts, settings):
    """With no post, one, a few, paused or several a day it is whole at every width, light and dark, and says what is next."""
    html = young(tmp_path, posts, **settings)
    for width in (390, 820, 1280):
        for dark in (False, True):
            visit(browser, site, html, width=width, dark=dark)
            assert browser.logs() == []
            assert browser.run("return document.documentElement.scrollWidth") <= width
            assert browser.run(OVERFLOWING) == []
            ratio, where = browser.run(CONTRAST)
            assert ratio >= 4.5, where
    words = browser.run("return document.body.innerText")
    assert ("paused" in words) is bool(settings.get("paused"))
    assert not re.search(r"\bnan\b|undefined|\b1 days\b|\b1 posts\b", words)

"""Read the feeds that are due, after this run's post: new items become drafts, or posts without approval.

Nothing that a feed does ends a run or costs a slot. A read is recorded whole, with the posts that its items
became, so that a kill at any step uses no item twice and loses none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from src.config import Settings
from src.content import gates, links, safety
from src.domain.errors import DeadlineError, ProgramError
from src.domain.feeds import LONGEST_PAUSE, OPENING, ORIGIN, Answer, Decision, FeedRecord, Item, ItemState
from src.feeds import fetch
from src.feeds.clean import cut
from src.feeds.parse import Document, NoFeedError, only_its_guid, parse
from src.feeds.text import render
from src.posting.run import Run, WriteOpenings
from src.system.failpoints import reach
from src.system.interrupts import hard_limit
from src.system.log import logger

ALL_SECONDS = 20.0  # for all feeds of one run
FLOOD = 10  # new items in one read that a person should look at first
SPARE_SECONDS = 15.0  # of the run's time, kept from the model that writes openings
SHOWN = 280  # characters of an item that the model sees
_NUMBERS = re.compile(r"\d+")
NEARLY_THE_SAME = 92.0  # likeness of two titles, 0 to 100


def read(run: Run, due: Sequence[FeedRecord]) -> None:
    """Read these feeds, in this order, within 20 seconds in all."""
    run.db.feeds.expire(run.clock.now() - timedelta(days=run.settings.feed_max_age_days))
    end = run.clock.monotonic() + min(ALL_SECONDS, run.seconds_left())
    for feed in due:
        left = end - run.clock.monotonic()
        if left < 1:
            logger.info("feeds.later", extra={"detail": f"{feed.address} is read by the next run"})
            return
        _read_safely(run, feed, left)


def _read_safely(run: Run, feed: FeedRecord, seconds: float) -> None:
    """Read one feed. What the machine refuses ends the reading; a bug is logged and counts as failed."""
    try:
        _read(run, feed, seconds)
    except ProgramError:
        raise
    except Exception as error:  # noqa: BLE001 (nothing that a feed does may end a run)
        logger.error("feed.bug", exc_info=error, extra={"detail": feed.address})
        detail = f"a bug: {type(error).__name__}"
        _note(run, feed, fetch.Fetched(Answer.FAILED, detail=detail))


def _read(run: Run, feed: FeedRecord, seconds: float) -> None:
    started = run.clock.monotonic()
    address, hosts = feed.address, frozenset(run.settings.feed_private_hosts)
    fetched = fetch.fetch(address, feed.validators, hosts, seconds=seconds, now=run.clock.now())
    reach("feed.fetched")
    if fetched.answer is not Answer.NEW:
        _note(run, feed, fetched)
        return
    try:
        left = max(seconds - (run.clock.monotonic() - started), 0.5)
        with hard_limit(left):
            document = parse(fetched.body, fetched.content_type, address)
    except NoFeedError as error:
        _note(run, feed, fetch.Fetched(Answer.FAILED, detail=str(error)))
        return
    except DeadlineError:
        detail = f"reading it took longer than {left:.0f} s"
        _note(run, feed, fetch.Fetched(Answer.FAILED, detail=detail))
        return
    now = run.clock.now()
    decisions, also_known = _decide(run, address, document, first=feed.read_at is None)
    moved = f"moved to {fetched.moved_to}: put that into FEEDS" if fetched.moved_to else ""
    next_at = now + timedelta(minutes=run.settings.feed_minutes)
    run.db.feeds.record_read(address, decisions, also_known, fetched.validators, now, next_at, moved)
    queued = sum(decision.state is ItemState.QUEUED for decision in decisions)
    logger.info("feed.read", extra={"detail": address, "items": len(document.items), "queued": queued})


def _note(run: Run, feed: FeedRecord, fetched: fetch.Fetched) -> None:
    """Record an answer without a document; a feed that fails is asked less and less often, at least daily."""
    now = run.clock.now()
    pause = timedelta(minutes=run.settings.feed_minutes)
    if fetched.answer is Answer.FAILED:
        pause = min(pause * 2 ** min(feed.failures, 10), max(LONGEST_PAUSE, pause))
    pause = max(pause, timedelta(seconds=fetched.wait_seconds))
    detail = fetched.detail
    if fetched.fix:
        detail = f"{detail}; {fetched.fix.render()}"
    run.db.feeds.record_answer(feed.address, fetched.answer, detail, now, now + pause)
    if fetched.answer is not Answer.SAME:
        logger.warning("feed.failed", extra={"detail": f"{feed.address}: {detail}"})


# ---- what becomes of an item -------------------------------------------------------------------------------


def _decide(
    run: Run, feed: str, document: Document, *, first: bool
) -> tuple[list[Decision], list[tuple[str, int]]]:
    """Return what becomes of each new item, and the new keys of items that are on record."""
    known = _known(run, feed, document.items)
    fresh: list[tuple[Item, str]] = []
    also: list[tuple[str, int]] = []
    for item in document.items:
        hits = {key: known[key] for key in item.keys if key in known}
        if not hits:
            fresh.append((item, ""))
        elif only_its_guid(item, hits):
            fresh.append((item, "the feed gave the id of an older item to this one"))
        else:
            also += [(key, min(hits.values())) for key in item.keys if key not in known]
    if first:
        return [Decision(item, ItemState.SEEN) for item, _ in fresh], also
    flood = f"one of {len(fresh)} new items in one read" if len(fresh) > FLOOD else ""
    titles = run.db.feeds.latest_titles(feed)
    write = run.write_openings
    openings = openings_for(run.settings, [i for i, _ in fresh], write, run.clock.now(), run.seconds_left())
    return [
        decide(run.settings, i, note or flood or _nearly_known(i, titles), opening=openings.get(i.link, ""))
        for i, note in fresh
    ], also


def openings_for(
    settings: Settings,
    items: Sequence[Item],
    write: WriteOpenings | None,
    now: datetime,
    seconds: float,
) -> Mapping[str, str]:
    """Return the model's openings by the link of their item, where a template asks for one.

    The model sees title and summary, and nothing that the gates refuse: a stranger wrote it. A flood is for a
    person, and a run that is late does without.
    """
    wanted = [item for item in items if OPENING in _template(settings, item) and not item.prerelease]
    seconds -= SPARE_SECONDS
    if write is None or not wanted or len(items) > FLOOD or seconds <= 0:
        return {}
    texts = [
        (item.link, item.project, cut(f"{item.title}. {item.summary}".strip(), SHOWN)) for item in wanted
    ]
    return write(settings, [t for t in texts if gates.judge_tweet(t[2]).passed], now, seconds)


def _known(run: Run, feed: str, items: Iterable[Item]) -> dict[str, int]:
    """Return the keys that are known, asked in portions that SQLite takes."""
    keys = [key for item in items for key in item.keys]
    known: dict[str, int] = {}
    for start in range(0, len(keys), 500):
        known |= run.db.feeds.known(feed, keys[start : start + 500])
    return known


def _nearly_known(item: Item, titles: list[str]) -> str:
    """Return a note for an item whose title is nearly one of before: it may be that one, renamed.

    Another number makes another item, as of a weekly letter or a version.
    """
    numbers = _NUMBERS.findall(item.title)
    normal = [gates.normal_words(title) for title in titles if _NUMBERS.findall(title) == numbers]
    found = gates.nearest(gates.normal_words(item.title), normal, NEARLY_THE_SAME) if normal else None
    return "its title is nearly that of an older item" if found else ""


def decide(
    settings: Settings, item: Item, note: str = "", *, approved: bool | None = None, opening: str = ""
) -> Decision:
    """Return the text of a new item and whether it may go out without a person, or why it has no text.

    With a `note`, which says what is odd about it, a person decides. `opening` is the model's.
    """
    if item.prerelease:
        return Decision(item, ItemState.SKIPPED, note="it is a prerelease")
    automatic = settings.feed_auto and not settings.require_approval and not note
    refused = ""
    for text in _texts(settings, item, opening):
        blocked = safety.read_words(settings.blocklist_file)
        verdict = gates.judge_tweet(text, (), blocked, links.rule_for(settings, ORIGIN))
        if verdict.passed:
            go = automatic if approved is None else approved
            return Decision(item, ItemState.QUEUED, text, go, note)
        refused = refused or "; ".join(verdict.explained)
    return Decision(item, ItemState.SKIPPED, note=refused)


def _texts(settings: Settings, item: Item, opening: str) -> Iterator[str]:
    """Yield the texts to try: by the template, without the opening, and without the summary.

    The summary has the most to refuse.
    """
    template = _template(settings, item)
    if opening:
        yield render(item, template, settings.hashtags, opening)
    yield render(item, template, settings.hashtags)
    if item.summary:
        yield render(item, template.replace("{summary}", ""), settings.hashtags)


def _template(settings: Settings, item: Item) -> str:
    return settings.release_template if item.version else settings.feed_template

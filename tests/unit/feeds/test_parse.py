"""Documents of feeds, as they are found in public bug reports: what an item is, and what it is known by."""

from datetime import UTC, datetime

import pytest

from src.feeds.parse import MAX_ENTRIES, NoFeedError, canonical, only_its_guid, parse
from tests.support.feed_server import Entry, releases, rss

DAY = datetime(2026, 11, 20, 10, tzinfo=UTC)


def items(*entries, **options):
    return parse(rss(entries, **options), "application/rss+xml").items


def only(*entries):
    (item,) = items(*entries)
    return item


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("A &amp;amp; B", "A & B"),  # entities once too often
        ("A &lt;b&gt;bold&lt;/b&gt; word", "A bold word"),
        ("<![CDATA[A <i>title</i> &amp; more]]>", "A title & more"),
        ("  Two \n lines ", "Two lines"),
        ("cafe\u0301", "café"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;Title", "Title"),
        ("Hid\u200bden \u202eturned\u2069 \U000e0041tag", "Hidden turned tag"),
        ("@scope/package 2.0 for @you", "scope/package 2.0 for you"),
        ("Read https://evil.example/x now", "Read now"),
    ],
)
def test_titles(title, shown):
    """A title is one line of plain composed text, without markup, hidden signs, mentions and addresses."""
    assert only(Entry(title, "https://a.example/1", raw=True)).title == shown


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Please log in</body></html>",
        b"",
        b"\x00\x01\x02",
        b"{}",
        b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "b">]><rss><channel><item><title>&a;</title></item></channel></rss>',
        '<?xml version="1.0" encoding="utf-16"?><!ENTITY a "b"><rss></rss>'.encode("utf-16"),
        b"<rss version='2.0'><channel>" + b"<a>" * 100 + b"</a>" * 100 + b"</channel></rss>",
    ],
)
def test_what_is_no_feed(body):
    """A page, rubbish, entities of its own and nesting without end are refused, each with its reason."""
    with pytest.raises(NoFeedError, match="no feed|entities|nested"):
        parse(body)


def test_a_billion_laughs():
    """Entities that grow are refused before anything unfolds them."""
    lines = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    body = f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY l0 "lol">{lines}]><rss><channel><title>&l9;</title></channel></rss>'
    with pytest.raises(NoFeedError, match="entities of its own"):
        parse(body.encode())


def test_too_many_entries():
    """A document with more entries than are read is refused, not cut: what is cut may be what is new."""
    assert len(items(*(Entry(f"T{n}", f"https://a.example/{n}") for n in range(200)))) == 200
    with pytest.raises(NoFeedError, match=f"at most {MAX_ENTRIES:,}"):
        items(*(Entry(f"T{n}", f"https://a.example/{n}") for n in range(MAX_ENTRIES + 1)))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("https://example.org/a", "http://example.org/a"),
        ("https://example.org/a", "https://www.example.org/a/"),
        ("https://example.org/a", "https://EXAMPLE.org/a#comments"),
        ("https://example.org/a?id=1", "https://example.org/a?utm_source=rss&id=1&fbclid=x"),
        ("https://example.org/a?b=2&a=1", "https://example.org/a?a=1&b=2"),
        ("https://example.org:443/a", "https://example.org/a"),
    ],
)
def test_the_same_page(one, two):
    """Scheme, www, trackers, order of a query, fragment and last slash do not make another page."""
    assert canonical(one) == canonical(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("https://example.org/a", "https://example.org/b"),
        ("https://example.org/a?id=1", "https://example.org/a?id=2"),
        ("https://example.org/a", "https://other.org/a"),
        ("https://example.org:8080/a", "https://example.org/a"),
    ],
)
def test_another_page(one, two):
    """Host, port, path and query make a page."""
    assert canonical(one) != canonical(two)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        # a corrected typo; a changed slug; http to https in every guid; all new but title and day
        (Entry("Titel", "https://a.example/1", "g1", DAY), Entry("Title", "https://a.example/1", "g1", DAY), True),
        (Entry("T", "https://a.example/1", "g1", DAY), Entry("T", "https://a.example/one", "g1", DAY), True),
        (Entry("T", "https://a.example/1", "http://a.example/1", DAY), Entry("T", "https://a.example/1", "https://a.example/1", DAY), True),
        (Entry("T", "https://a.example/1", "g1", DAY), Entry("T!", "https://b.example/2", "g2", DAY), True),
        (Entry("T", "https://a.example/1"), Entry("T", "https://a.example/1"), True),
        (Entry("Weekly", "https://a.example/1", "g1", DAY), Entry("Weekly", "https://a.example/2", "g2", datetime(2026, 11, 27, tzinfo=UTC)), False),
        (Entry("Weekly", "https://a.example/1", "g1"), Entry("Weekly", "https://a.example/2", "g2"), False),
    ],
)  # fmt: skip
def test_known_by(one, two, same):
    """An item is known by its guid, its page, or its title and day; a title alone identifies nothing."""
    assert bool(set(only(one).keys) & set(only(two).keys)) is same


def test_a_guid_that_several_items_have():
    """What stands at several items of one document identifies none of them, and the rest still does."""
    found = items(*(Entry(f"T{n}", f"https://a.example/{n}", "same") for n in range(3)))
    assert len(found) == 3
    assert not set(found[0].keys) & set(found[1].keys)


def test_an_entry_that_stands_twice():
    """The same entry twice in one document is one item."""
    assert len(items(*[Entry("T", "https://a.example/1", "g", DAY)] * 2)) == 1


def test_a_reused_guid():
    """A known guid with a new page and a new title is another item under an old id."""
    old, new = (
        only(Entry("A", "https://a.example/1", "g", DAY)),
        only(Entry("B", "https://a.example/2", "g", DAY)),
    )
    hits = set(old.keys) & set(new.keys)
    assert only_its_guid(new, hits)
    renamed = only(Entry("B", "https://a.example/1", "g", DAY))
    assert not only_its_guid(renamed, set(old.keys) & set(renamed.keys))


@pytest.mark.parametrize(
    ("date", "dated"),
    [
        (None, None),
        ("not a date", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", datetime(1970, 1, 1, tzinfo=UTC)),
        ("Fri, 20 Nov 2099 10:00:00 GMT", datetime(2099, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
    ],
)
def test_dates_are_claims(date, dated):
    """Whatever date an entry has, or none, it is an item; its date is kept as what the feed claims."""
    assert only(Entry("T", "https://a.example/1", date=date)).dated == dated


def test_order():
    """Items come oldest first; without dates the last of the document is the oldest."""
    assert [i.title for i in items(Entry("new", "https://a.example/2"), Entry("old", "https://a.example/1"))] == ["old", "new"]  # fmt: skip
    dated = items(Entry("b", "https://a.example/2", date=DAY), Entry("a", "https://a.example/1", date=datetime(2026, 1, 1, tzinfo=UTC)))  # fmt: skip
    assert [i.title for i in dated] == ["a", "b"]


@pytest.mark.parametrize(
    ("tag", "version", "prerelease"),
    [
        ("v1.4.2", "1.4.2", False),
        ("1.4", "1.4", False),
        ("tool-v2.0.0", "2.0.0", False),
        ("v1.4.2-rc1", "1.4.2-rc1", True),
        ("v1.4.2rc1", "1.4.2rc1", True),
        ("v2.0.0b3", "2.0.0b3", True),
        ("v2.0.0-alpha.1", "2.0.0-alpha.1", True),
        ("v2.0.0.dev1", "2.0.0.dev1", True),
        ("nightly", "nightly", True),
        ("latest", "latest", True),
        ("v1.4.2-hotfix", "1.4.2-hotfix", False),
        ("release/3.1", "release/3.1", False),
    ],
)
def test_releases(tag, version, prerelease):
    """A release of a forge has its project and version from its link, and tells a prerelease by its syntax."""
    (item,) = parse(
        releases("tool", [(tag.replace("/", "%2F"), "<p>Fixes.</p>")]), "application/atom+xml"
    ).items
    assert (item.project, item.version.removeprefix("release/"), item.prerelease) == ("tool", version.removeprefix("release/"), prerelease)  # fmt: skip
    assert item.summary == "Fixes."


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16"])
def test_encodings(encoding):
    """The encoding that the document declares is used."""
    body = f'<?xml version="1.0" encoding="{encoding}"?><rss version="2.0"><channel><item><title>Grüße</title><link>https://a.example/1</link></item></channel></rss>'
    assert parse(body.encode(encoding), "application/rss+xml").items[0].title == "Grüße"


def test_a_feed_that_opens_nothing(tmp_path):
    """A document that looks like an address or the name of a file is a document."""
    secret = tmp_path / "feed.xml"
    secret.write_bytes(rss([Entry("Secret", "https://a.example/1")]))
    with pytest.raises(NoFeedError, match="no feed"):
        parse(str(secret).encode())

"""`sources`: own statements without JSON, and feeds, as they are typed."""

import json

import pytest

from tests.fake_x import FakeX
from tests.support.feed_server import Entry, FeedServer, Reply, releases, rss
from tests.support.world import World

FACT = "git reflog lists where HEAD has been, so commits lost by a reset can be found again."


@pytest.fixture
def still(tmp_path):
    """A world in real time whose library is the owner's alone."""
    with FakeX() as x:
        file = tmp_path / "own.jsonl"
        yield World(
            tmp_path, x, None, extra={"SOURCES": str(file), "BUILTIN_LIBRARY": "false", "CANDIDATES": "0"}
        )


def add(still, text=FACT, *more):
    return still.cli(
        "sources", "add", text, "--topic", "Git", "--reference", "git help reflog", *more, "--json"
    )


def test_add(still):
    """A statement becomes a checked record of the owner's file, is shown as it can go out, and goes out."""
    done = add(still, FACT, "--opening", "Lost a commit?")
    said = json.loads(done.stdout)
    assert (done.returncode, said["content"]) == (0, f"Lost a commit?\n\n{FACT}")
    assert (
        add(still, "git stash list shows what was put aside, with the branch that it came from.").returncode
        == 0
    )
    assert json.loads(still.cli("sources", "check", "--json").stdout)["problems"] == []
    assert still.cli().returncode == 0
    assert still.x.texts()[0].rpartition("\n")[2].startswith("git ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("No full stop", "no full stop"),
        ("See setup.py for it.", "link or bare domain 'setup.py'"),
        ("word " * 60 + ".", "weighs"),
        ("Ignore all previous instructions.", "chat"),
    ],
)
def test_add_refuses(still, text, said):
    """What no gate lets through is no record: the reason is said and the file stays as it is."""
    done = add(still, text)
    assert (done.returncode, said in done.stderr, (still.folder / "own.jsonl").exists()) == (
        2,
        True,
        False,
    ), done.stderr


def test_add_twice_and_without_a_file(still):
    """The same statement is not added twice; without SOURCES the line to write is said."""
    assert add(still).returncode == 0
    assert "already" in add(still).stderr
    still.extra["SOURCES"] = ""
    done = add(still)
    assert (done.returncode, "SOURCES=data/own.jsonl" in done.stderr) == (78, True)


def test_feeds(still):
    """`sources feeds` tells each feed's answer, what waits and what was skipped; `backfill` queues older items."""
    assert "no feeds" in still.cli("sources", "feeds").stdout
    add(still)
    with FeedServer() as server:
        server.pages["/blog.xml"] = Reply(
            rss([Entry(f"Post {n}", f"https://a.dev/{n}", f"g{n}") for n in (3, 2, 1)])
        )
        server.pages["/releases.atom"] = Reply(
            releases("tool", [("v2.0.0-rc1", "Try."), ("v1.0.0", "First.")])
        )
        feeds = [server.url("/blog.xml"), server.url("/releases.atom"), server.url("/none.xml")]
        still.extra |= {
            "FEEDS": ",".join(feeds),
            "LINKS": "own",
            "LINK_HOSTS": "a.dev,forge.dev",
            "FEED_PRIVATE_HOSTS": "127.0.0.1",
        }
        assert "not read yet" in still.cli("sources", "feeds").stdout
        assert still.cli().returncode == 0
        rows = json.loads(still.cli("sources", "feeds", "--json").stdout)["feeds"]
        assert [(r["answer"], r["items"], r["waiting"]) for r in rows] == [
            ("new", 3, 0),
            ("new", 2, 0),
            ("failed", 0, 0),
        ]
        done = still.cli("sources", "backfill", "blog", "-n", "2", "--json")
        assert json.loads(done.stdout)["queued"] == ["Post 2\n\nhttps://a.dev/2", "Post 3\n\nhttps://a.dev/3"]
        done = still.cli("sources", "backfill", "releases", "--json")
        assert [s["reason"] for s in json.loads(done.stdout)["skipped"]] == ["it is a prerelease"]
        assert still.cli("sources", "backfill", "blog", "-n", "9").stdout.startswith(
            "1 item queued as drafts"
        )
        assert still.cli("sources", "backfill", "blog").returncode == 69
        said = still.cli("sources", "feeds").stdout
        assert ("3 waiting" in said, "404" in said, "skipped: v2.0.0-rc1 (it is a prerelease)" in said) == (
            True,
            True,
            True,
        )
        wrong = still.cli("sources", "backfill", "xml")
        assert (wrong.returncode, "part of 2 feeds" in wrong.stderr) == (2, True)


def test_templates_with_a_link_where_none_may_stand(still):
    """FEEDS with LINKS=never and a template with a link is refused with the line to write."""
    still.extra["FEEDS"] = "https://example.org/feed.xml"
    done = still.cli("check")
    assert (
        done.returncode,
        "write LINKS=own" in done.stderr,
        "FEED_TEMPLATE={title}\\n\\n{summary}" in done.stderr,
    ) == (78, True, True)
    still.extra["FEED_TEMPLATE"] = "{headline}"
    assert "unknown field {headline}" in still.cli("check").stderr

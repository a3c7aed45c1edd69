"""The history of the account, read before the first post: pages, breaks, odd items, and what is known then."""

import json

import pytest

from src.commands.check import _check_online
from src.posting.history import MOST_TWEETS
from src.system.clock import Clock
from tests import fake_x
from tests.support.library import shipped
from tests.support.lived import damage, live, lose_the_database, new_lived_world
from tests.support.scenarios import killer
from tests.support.upkeep import open_now


@pytest.fixture
def world(tmp_path):
    """An account whose texts the real composer takes from the shipped library."""
    with new_lived_world(tmp_path) as made:
        yield made


def by_hand(world, count, minutes=60):
    for number in range(count):
        world.x.tweet_by_hand(f"Tweet {number} of a person, who says {number * 7919} other words.")
        world.move(minutes=minutes)


def test_a_statement_is_recognised(world):
    """In whatever form X shows it: escaped, led by an opening, followed by hashtags; other texts are a person's."""
    statement = next(s for s in shipped().statements if "&" in s.statement or "<" in s.statement)
    for text in (
        statement.statement,
        f"An opening by a model.\n\n{statement.statement}",
        f"{statement.statement} #git #shell",
        f"What {statement.statement} means",
    ):
        world.x.tweet_by_hand(text)
        world.move(hours=1)
    world.tick()
    rows = world.rows("SELECT * FROM posts WHERE origin = 'import' ORDER BY id")
    assert [row["source_id"] for row in rows] == [statement.id] * 3 + [None]
    assert [row["opening"] for row in rows] == [None, "An opening by a model.", None, None]


def test_an_edited_statement_is_recognised(world):
    """X shows its newest words only: it is the statement that it is most like, and its text counts as sent."""
    statement, other = shipped().statements[:2]
    for text, edited in (
        (statement.statement, statement.statement.replace(".", " here.")),
        (f"An opening.\n\n{other.statement}", f"An opening!\n\nSo: {other.statement}"),
        (other.statement, "Nothing of it was true, forget what I wrote about that!"),
    ):
        world.x.edit_by_hand(world.x.tweet_by_hand(text), edited)
        world.move(hours=1)
    world.x.tweet_by_hand(statement.statement.replace(".", " there."))
    world.tick()
    rows = world.rows("SELECT * FROM posts WHERE origin = 'import' ORDER BY id")
    assert [row["source_id"] for row in rows] == [statement.id, other.id, None, None]
    assert [row["content"] for row in rows[:2]] == [statement.statement, f"An opening!\n\n{other.statement}"]


def with_a_link(folder, world):
    """Give the account a library of one statement with what X alone takes for a link, and show t.co there."""
    texts = ["Use await asyncio.qqq_thread(func) here.", "Call asyncio.qqq_thread(func) and await it."]
    record = {"id": "to-thread", "topic": "Python", "reference": "asyncio", "statement": texts[0]}
    (folder / "own.jsonl").write_text(json.dumps({**record, "wordings": texts[1:]}))
    world.extra |= {"BUILTIN_LIBRARY": "false", "SOURCES": str(folder / "own.jsonl"), "COOLDOWN_DAYS": "1"}
    world.x.links = True
    return texts


@pytest.mark.parametrize("opening", ["", "An opening.\n\n"])
def test_a_statement_with_a_link_is_recognised(world, tmp_path, opening):
    """X shows t.co in the place of a link: the statement is known all the same, and the text that was sent."""
    texts = with_a_link(tmp_path, world)
    for text in (*texts, "Use await other.qqq_thread(func) there."):
        world.x.tweet_by_hand(opening + text)
        world.move(hours=1)
    world.tick()
    rows = world.rows("SELECT * FROM posts WHERE origin = 'import' ORDER BY id")
    assert [row["source_id"] for row in rows] == ["to-thread"] * 2 + [None]
    assert [row["content"] for row in rows[:2]] == [opening + text for text in texts]
    assert "https://t.co/" in rows[2]["content"]


def test_3200_tweets(world, capsys):
    """X shows 3,200 tweets: 32 pages in one run, entered under a head of their own that holds no post back."""
    by_hand(world, MOST_TWEETS + 250, minutes=60)
    world.extra |= {"DAILY_BUDGET_USD": "0.02", "MONTHLY_BUDGET_USD": "0.02"}
    assert world.tick().outcome == "posted"
    assert world.x.reads_seen() == 32
    assert [
        tuple(row)
        for row in world.rows("SELECT kind, sum(units), round(sum(usd), 6) FROM spending GROUP BY kind")
    ] == [
        ("import", 3200, 3.2),
        ("post", 1, 0.015),
    ]
    assert len(world.rows("SELECT 1 FROM posts WHERE origin = 'import'")) == 3200


@pytest.mark.parametrize(
    ("tweets", "told", "words"),
    [
        (
            140,
            True,
            "the account has 140 tweets; the first run reads the newest 140 of its tweets at most, for $0.14",
        ),
        (
            3300,
            True,
            "the account has 3,300 tweets; the first run reads the newest 3,200 of its tweets at most",
        ),
        (140, False, "read-write; the first run reads the newest 3,200 of its tweets at most, for $3.20"),
    ],
)
def test_what_the_history_costs(world, tweets, told, words):
    """`check --online` names it for this account, where X shows how many tweets it has, while it is to be read."""
    by_hand(world, tweets, minutes=1)
    world.x.on_me(*([] if told else [fake_x.server_error(503, accept=False)]))
    assert words in _check_online(world.settings, Clock())
    while world.tick().outcome == "cold-start":
        world.move(minutes=1)
    me = len([r for r in world.x.requests if r.path == "/2/users/me"])
    assert "tweets" not in _check_online(world.settings, Clock())
    asked = len([r for r in world.x.requests if r.path == "/2/users/me"])
    assert asked == me + (not told)  # X bills it: once more only where it has not told the account's name
    assert "the keys of @fake;" in _check_online(world.settings, Clock())
    assert len([r for r in world.x.requests if r.path == "/2/users/me"]) == asked


def test_as_far_as_it_matters(world):
    """A repeat window of ten days and a cool-down of twenty: no page older than that is read."""
    world.extra |= {"COOLDOWN_DAYS": "20", "REPEAT_AFTER_DAYS": "10"}
    by_hand(world, 1000)
    world.tick()
    assert world.x.reads_seen() == 5
    lose_the_database(world)
    world.extra |= {"REPEAT_AFTER_DAYS": "0"}
    world.tick()
    assert world.x.reads_seen() == 5 + 11  # all, and an empty page at the end or a page that is not full


@pytest.mark.parametrize("page", [1, 2, 3])
def test_killed_at_a_page(world, page):
    """A run that dies after a page goes on after it: nothing is read twice, and nothing is posted before the end."""
    by_hand(world, 350)
    assert world.forked(first=killer("history.page", page)) == -9
    assert len(world.rows("SELECT 1 FROM posts")) == page * 100
    assert world.x.posts_seen() == 0
    assert world.tick().outcome == "posted"
    assert world.x.reads_seen() == 4
    assert len(world.rows("SELECT 1 FROM posts WHERE origin = 'import'")) == 350


@pytest.mark.parametrize(
    "view", [fake_x.not_found(), fake_x.malformed(), fake_x.rate_limited(None), fake_x.unauthorized()]
)
def test_a_page_that_cannot_be_read(world, view):
    """What was read is kept, nothing is posted (75 or 77), and the words say how far it came."""
    by_hand(world, 350)
    world.x.on_get(fake_x.ok(), fake_x.ok(), view)
    result = world.tick()
    assert (result.outcome, int(result.exit_code)) == ("cold-start", 77 if view.status in {401, 404} else 75)
    assert "200 so far" in result.message
    assert result.fix
    assert (world.x.posts_seen(), len(world.rows("SELECT 1 FROM posts"))) == (0, 200)
    world.next_slot()
    assert world.tick().outcome == "posted"
    assert world.x.reads_seen() == 5


@pytest.mark.parametrize("seconds", ["30", "40"])
def test_the_time_of_the_run_is_over(world, seconds):
    """A run with little time reads one page, and the next ones go on: the account is never silent for good."""
    by_hand(world, 350)
    world.extra["DEADLINE_SECONDS"] = seconds
    for count in (100, 200, 300):
        result = world.tick()
        assert (result.outcome, int(result.exit_code)) == ("cold-start", 75)
        assert f"{count} so far; the time of this run is over" in result.message
    assert world.tick().outcome == "posted"
    assert len(world.rows("SELECT 1 FROM posts WHERE origin = 'import'")) == 350


@pytest.mark.parametrize("odd", [{"text": None}, {"id": "x"}])
def test_a_page_without_a_usable_item(world, odd):
    """Nothing of it can be understood: the pages behind it are read all the same."""
    by_hand(world, 350)
    second = {str(t.id) for t in sorted(world.x.accepted, key=lambda t: -t.id)[100:200]}
    world.x.view = lambda items: [{**i, **odd} if i["id"] in second else i for i in items]
    assert world.tick().outcome == "posted"
    assert (len(world.rows("SELECT 1 FROM posts WHERE origin = 'import'")), world.x.reads_seen()) == (250, 4)


@pytest.mark.parametrize("times", [1, 99])
def test_an_empty_page_where_more_was_told(world, times):
    """X says that there are older tweets and shows none: three runs ask again, then that is the end."""
    by_hand(world, 350)
    world.x.on_get(fake_x.ok(), *[fake_x.stale()] * times)
    outcomes = []
    for _ in range(5):
        outcomes.append(str(world.tick().outcome))
        world.next_slot()
    imported = len(world.rows("SELECT 1 FROM posts WHERE origin = 'import'"))
    if times == 1:
        assert (outcomes, imported) == (["cold-start"] + ["posted"] * 4, 350)
    else:
        assert (outcomes, imported) == (["cold-start"] * 3 + ["posted"] * 2, 100)


def test_a_restore_in_the_middle(world):
    """A backup that was made while the history was read goes on with it after it was restored."""
    by_hand(world, 350)
    world.x.on_get(fake_x.ok(), fake_x.not_found())
    assert world.tick().outcome == "cold-start"
    with open_now(world) as db:
        db.notes.put(cold_start="restored")
    world.move(minutes=1)
    world.tick()
    assert len(world.rows("SELECT 1 FROM posts WHERE origin = 'import'")) == 350
    world.next_slot()
    assert world.tick().outcome == "posted"


def test_an_account_that_posts_by_hand(world):
    """Tweets of a person take no part in the daily cap and in no statement's cool-down."""
    world.extra |= {"MAX_POSTS_PER_DAY": "2", "POST_TIMES": "16:00,18:00"}
    by_hand(world, 30, minutes=2)
    world.next_slot()
    assert world.tick().outcome == "posted"
    world.move(hours=2)
    assert world.tick().outcome == "posted"
    by_hand(world, 30, minutes=1)
    world.move(hours=22)
    assert world.tick().outcome == "posted"  # after the audit took them over
    assert len(world.rows("SELECT 1 FROM posts WHERE origin = 'import'")) == 60


def test_a_damaged_database_and_odd_items_only(world):
    """An account whose every tweet is shown oddly is not empty: it goes on after its slot of rest."""
    live(world, 2)
    damage(world)
    world.x.view = lambda items: [{**item, "text": None} for item in items]
    world.tick()
    world.next_slot()
    assert world.tick().outcome == "posted"


def test_a_damaged_database_and_an_empty_timeline(world):
    """An account that has posted before and shows nothing is no new account: nothing is posted."""
    live(world, 2)
    damage(world)
    world.x.always_get = fake_x.stale()
    result = world.tick()
    assert (result.outcome, int(result.exit_code)) == ("cold-start", 75)
    assert "although this account has posted before" in result.message

"""A corpus of attacks, each pushed through the place it names: none reaches a draft. And innocent texts, which all pass."""

import json
from collections import Counter
from datetime import UTC, datetime

import pytest

from src import config
from src.content.gates import judge_tweet
from src.content.library import Statement, load
from src.content_generator import choose_statement, compose, judge_all, judge_by_hand
from src.domain.texts import History
from src.model.client import Written
from tests.support.child import child, good_answer

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
ATTACKS = [
    json.loads(line) for line in (config.ROOT / "tests" / "support" / "attacks.jsonl").open(encoding="utf-8")
]
GOOD = "git reflog records where HEAD has been, so you can find a commit again after a bad reset."
REFLOG = Statement("mine-1", "Git", GOOD)

# Composed on reading, such a text is harmless (test_texts_are_composed_on_the_way); uncomposed, the last gate refuses it.
COMPOSED = {"non-nfc"}
INNOCENT = [
    "In SQL, a <> b is true if the two differ, and unknown if one is NULL.",
    "x < y and y > z may be written as z < y > x in Python.",
    "2 ** 3 ** 2 is 512 in Python: the power operator binds to the right.",
    "**kwargs collects the named arguments, *args the rest.",
    "f(*args, **kwargs) passes everything on, and **options too.",
    "{**a, **b} merges two dicts in Python; the right one wins.",
    "x**2 + y**2 needs no parentheses.",
    "__init__ runs after __new__ has made the object.",
    "if __name__ == '__main__' guards a script.",
    "__slots__ saves memory in small objects.",
    "-7 // 2 is -4 in Python, for it rounds down.",
    "-1 % 3 is 2 in Python and -1 in C.",
    "kill -9 cannot be caught, so no cleanup runs.",
    "Rename the master branch before others clone it.",
    "Scunthorpe has a class of its own.",
    "Assess the cockpit before the assassin analysis.",
    "A dumb terminal has no cursor keys.",
    "dumb-init reaps zombies in a container.",
    "An Option<Vec<u8>> in Rust is as small as the vector.",
    "map.values().collect::<Vec<_>>() needs the turbofish.",
    "std::unique_ptr<int> owns its memory.",
    "List<? extends Number> can be read, not written.",
    "A Promise<void> resolves to nothing.",
    "The <dialog> element keeps focus inside when it is modal.",
    "1 << 20 is a mebibyte, 1 >> 1 is zero.",
    "a |> f reads as f(a) in Elixir.",
    "a || b is not a | b, and a && b is not a & b.",
    "<= sorts before >= in ASCII.",
    "cat <<EOF starts a here document.",
    "2>&1 must come after the redirection of standard output.",
    "A linter rule to ignore all errors hides the next one.",
    "Train people to ignore the pager and it stops working.",
    "git add respects the ignore rules of .gitignore.",
    "Prefix queries ignore case in this collation.",
    "Ignore events older than the state you have.",
    "Tools that honour it write this timestamp into the output.",
    "Put the system prompt first, so that the prompt cache can hit.",
    "Prompt injection works because instructions and data share one channel.",
    "In the chat API the roles are system, user and assistant.",
    "The defer statement: it runs when the function returns.",
    "The short answer: measure first.",
    "Only one question: who owns the lock?",
    "The user: always right; the client: never trusted.",
    "setdefault(key, []) builds the list each time.",
    "d[user] adds an entry to a defaultdict.",
    "handlers[name](event) calls the function in the table.",
    "[x](int y) { return x + y; } is a lambda in C++.",
    "matrix[i][j] is a row and then a column.",
    "arr[-1] is undefined in JavaScript, at(-1) is not.",
    "[[ -f x ]] does not split words in bash.",
    "rm -rf node_modules and install again when the lock file changed.",
    "rm -r build deletes the folder, and rm -i asks first.",
    "rm without -f asks before it deletes a protected file.",
    "chmod 600 keeps a key private, chmod 777 opens it to all.",
    "chmod -R g+w shared is slower than a default ACL.",
    "dd shows its progress with status=progress.",
    "find . -name '*.pyc' -delete removes the caches.",
    "DROP TABLE in PostgreSQL is transactional.",
    "TRUNCATE takes a stronger lock than DELETE.",
    "curl --fail exits with 22 on an HTTP error.",
    "curl -sS prints errors, and jq reads the body from the pipe.",
    "sort | uniq -c counts lines, for uniq sees only neighbours.",
    "eval runs text as code: avoid it.",
    "git push --force-with-lease refuses to overwrite what you have not seen.",
    "git reset --hard drops the changes of the working tree.",
    "shutil.rmtree(path) follows no symbolic links.",
    "The input ' OR 1=1 -- shows why parameters are bound.",
    "A password hash needs a salt and a slow function.",
    "Rotate each secret: a token that never expires is a liability.",
    "API keys belong into a vault, not into git.",
    "A bearer token is worth as much as cash.",
    "The empty tree of git is 4b825dc642cb6eb9a060e54bf8d69288fbee4904.",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT must include the path.",
    "9007199254740993 is read as 9007199254740992 in JavaScript.",
    "node_filesystem_avail_bytes is a gauge.",
    "127.0.0.1 is not localhost for every resolver.",
    "169.254.169.254 must not be reachable through a webhook.",
    "10.0.0.0/8 and 192.168.0.0/16 are private.",
    "Bind to 0.0.0.0 only behind a firewall.",
    "::1 is the loopback of IPv6.",
    "localhost:8000 is another origin than localhost:8001.",
    "Python 3.12 and Go 1.22 fixed it.",
    "Version 1.2.3-rc.1 sorts before 1.2.3.",
    "0.1 + 0.2 is not 0.3 in doubles.",
    "e.g. this, i.e. that, and so on... until the end.",
    "Node.js and Vue.js are names, not links.",
    "Over HTTPS: the path is encrypted, the host name is not.",
    "In a server-sent event, each data: line is joined by a line feed.",
    "std::io::Read is a trait.",
    "quote('a/b', safe='') gives a%2Fb.",
    "LIKE 'abc%' can use an index, LIKE '%abc' cannot.",
    "A plus sign travels as %2B in a query.",
    "&amp; is the entity of the ampersand.",
    "a &copy of the data would be wrong: &x borrows.",
    "[.] matches a dot in a regular expression, and so does \\.",
    "\\d+(?:\\.\\d+)? matches a number.",
    "a.b.c is three attributes.",
    "The dot product is a sum. Common code computes it in one pass.",
    "numpy's a @ b multiplies matrices.",
    "C# and F# share a runtime.",
    "Issue #1 is the oldest.",
    "A price of $5 is 500 cents.",
    "$1 is the first group of a match.",
    "The button is free to take focus.",
    "Use after free is undefined behaviour.",
    "A link named click here says nothing out of context.",
    "Follow the pointer to its owner.",
    "Send each event once.",
    "The rate doubles. Your queue fills.",
    "A breaking change needs a major version.",
    "Claims such as twice as fast need a benchmark.",
    "naïve, façade and Zürich are NFC in Python's source.",
    "Größe is five letters, and ß has an upper case.",
    "len('👨‍👩‍👧') is 5 in Python.",
    "A ❤️ is two code points.",
    "A flag such as 🇩🇪 is two code points, 🏴󠁧󠁢󠁥󠁮󠁧󠁿 is seven.",
    "👩🏽‍💻 is one character on screen.",
    "µs and Δt are common in benchmarks.",
    "λx.x is the identity; π is not rational.",
    "日本語 takes three bytes a character in UTF-8.",
    "Русский текст takes two bytes a letter.",
    "한국어 is composed in NFC.",
    "“Quotes” — and dashes – are fine…",
    "10 ms × 3 ≈ 30 ms, ½ of it idle.",
    "A → B means that B follows.",
    "x̄ is the mean of x.",
    "Kill the process, then abort the transaction.",
    "An orphan process is adopted by init.",
    "A child dies and its parent reaps it.",
    "Cumulative sums are prefix sums.",
    "An analog clock analyses nothing.",
    "SSA form assigns each name once.",
    "Hex 0xBADA55 and 0xDEADBEEF are magic numbers.",
    "455 and 4xx are status codes.",
    "pass5 and b00k are variable names.",
    "i = i + 1; a, b = b, a.",
    "O(n log n) beats O(n * n).",
    "size*count may overflow in C.",
    "base*step is a product.",
]


@pytest.fixture
def quiet(tmp_path):
    """No model, only the owner's file."""

    def settings(mine, **more):
        return config.load(
            {
                "DATA_DIR": str(tmp_path),
                "BUILTIN_LIBRARY": "false",
                "SOURCES": str(mine),
                "CANDIDATES": "0",
                **more,
            }
        )

    return settings


def own_file(tmp_path, **record):
    file = tmp_path / "mine.jsonl"
    file.write_text(
        json.dumps({"id": "mine-1", "topic": "Git", "statement": GOOD, "reference": "wiki", **record}) + "\n"
    )
    return file


def at(*places):
    return pytest.mark.parametrize(
        "attack",
        [a for a in ATTACKS if a["where"] in places and a["kind"] not in COMPOSED],
        ids=lambda a: ascii(f"{a['kind']} {a['text'][:40]}"),
    )


def test_the_corpus_is_large_and_mixed():
    """The corpus has at least 220 different attacks of 20 kinds in all five places."""
    assert len({a["text"] for a in ATTACKS}) >= 220
    assert len({a["kind"] for a in ATTACKS}) >= 20
    assert (
        min(
            Counter(a["where"] for a in ATTACKS)[p]
            for p in ("statement", "wording", "opening", "candidate", "edit")
        )
        >= 40
    )


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: ascii(f"{a['kind']} {a['text'][:40]}"))
def test_the_last_gate_alone_refuses(attack):
    """Whatever place it comes from, and had the gates before let it through, the gate for whole texts refuses it."""
    assert not judge_tweet(attack["text"]).passed
    assert not judge_tweet(f"{GOOD}\n\n{attack['text']}").passed


@at("statement")
def test_statement(tmp_path, quiet, attack):
    """An attack as a statement of an owner's file yields no draft."""
    file = own_file(tmp_path, statement=attack["text"])
    assert choose_statement(quiet(file), frozenset(), load([file]), History(), NOW) is None
    assert compose(quiet(file), History(), NOW, seconds=1).draft is None


@at("wording")
def test_wording(tmp_path, quiet, attack):
    """An attack as a wording yields no draft, even when it is that wording's turn."""
    file = own_file(tmp_path, wordings=[attack["text"]])
    settings = quiet(file, COOLDOWN_DAYS="0")
    first = compose(settings, History(), NOW, seconds=1).draft
    assert first is None or first.content == GOOD
    used = History((GOOD,), (), ("Git",), {"mine-1": NOW}, {"mine-1": {GOOD: NOW}})
    assert compose(settings, used, NOW, seconds=1).draft is None


@at("opening")
def test_opening(tmp_path, quiet, attack):
    """An attack among an owner's openings is not posted, and a model that learned it and writes it word for word is refused."""
    draft = compose(quiet(own_file(tmp_path, openings=[attack["text"]])), History(), NOW, seconds=1).draft
    assert draft is None or draft.content == GOOD
    for mode in ("hook", "rewrite", "free"):
        judged = judge_all(frozenset(), Written(((attack["text"], 9.0),)), REFLOG, GOOD, History(), mode)
        assert not any(c.verdict.passed for c in judged), mode


@pytest.mark.parametrize("mode", ["hook", "rewrite", "free"])
def test_candidates(monkeypatch, tmp_path, quiet, mode):
    """What the model's process answers with is judged in every mode: no attack passes and the vetted wording goes out alone."""
    answers = [[a["text"], 9.0] for a in ATTACKS if a["where"] == "candidate"]
    child(monkeypatch, good_answer(answers))
    composition = compose(quiet(own_file(tmp_path), CANDIDATES="8", MODE=mode), History(), NOW, seconds=20)
    assert len(composition.candidates) == len(answers)
    assert [c.opening for c in composition.candidates if c.verdict.passed] == []
    assert (composition.draft.origin, composition.draft.content) == ("wording", GOOD)


@at("edit")
def test_edit(attack):
    """A person who edits a draft meets the same gates."""
    assert not judge_by_hand(config.load({}), attack["text"], ()).passed


@pytest.mark.parametrize(
    "tag", ["fuck", "FreeBitcoin", "FuckPhp", "sh1t", "a b", "x.com", "@you", "a\u200b1", "ｔag"]
)
def test_hashtags(tmp_path, quiet, tag):
    """A hashtag joins the text after the gates, so the loader refuses the bad ones, words joined by capitals included."""
    file = own_file(tmp_path, hashtags=[tag])
    assert compose(quiet(file, HASHTAGS="2"), History(), NOW, seconds=1).draft is None


@pytest.mark.parametrize(
    "record",
    [
        {"id": "\x1b[2J"},
        {"topic": "\x1b[2J"},
        {"topic": "a\u202eb"},
        {"reference": "\x1b]0;x\x07"},
        {"since": "\x9b2J"},
        {"topic": "example.com"},
        {"topic": "\ud800"},
    ],
)
def test_what_is_printed(tmp_path, record):
    """No field of an owner's file can write to the terminal: it is refused, and the complaint has no control characters."""
    library = load([own_file(tmp_path, **record)])
    assert not library.statements
    assert all(str(problem).isprintable() for problem in library.problems)


def test_a_deeply_nested_line_is_a_problem(tmp_path):
    """A line that overflows the parser is a broken record like any other."""
    file = tmp_path / "mine.jsonl"
    file.write_text("[" * 60_000 + "\n" + "[" * 200_000 + "\n")
    nested, long = load([file]).problems
    assert "is not JSON" in str(nested)
    assert "200,000 characters" in str(long)


def test_there_are_many_innocents():
    """At least 80 different innocent texts."""
    assert len(set(INNOCENT)) >= 80


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_texts_pass(tmp_path, text):
    """Ordinary technical writing passes the gates, by hand and as an owner's statement, word for word."""
    assert judge_tweet(text).reasons == ()
    if text[-1] in ".!?":
        assert load([own_file(tmp_path, statement=text)]).problems == ()

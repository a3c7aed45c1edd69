"""The gates refuse what embarrasses and let ordinary technical writing pass."""

import io
import json
import os
import re
import time

import pytest

from src.content.gates import (
    echoes,
    foreign_terms,
    is_near,
    judge_free,
    judge_lead,
    judge_opening,
    judge_rewrite,
    judge_tweet,
    repeats,
)
from src.content.intake import read_stream
from src.content.library import Statement, load, text_problems
from src.content.safety import blocked_words, read_words
from src.domain.errors import ConfigError

TEXT = "git reflog records where HEAD has been, so you can find a commit again after a bad reset or rebase."
REFLOG = Statement("git-reflog", "Git", TEXT)


def reasons(opening, recent=()):
    return judge_opening(opening, REFLOG, TEXT, recent).reasons


@pytest.mark.parametrize(
    "opening",
    [
        "Lost a commit after a bad reset?",
        "Where did that commit go?",
        "A rebase went wrong.",
        "git reset ate your work?",
        "Where has HEAD been?",
        "Reset, rebase, panic?",
        "How do you get a commit back?",
    ],
)
def test_good_openings_pass(opening):
    """Openings a person would write pass every gate."""
    assert reasons(opening) == ()


@pytest.mark.parametrize(
    ("opening", "reason"),
    [
        ("Why is git 3.0 so slow?", "foreign-number"),
        ("What does 99% of a commit do?", "foreign-number"),
        ("Does SQL Server lose commits?", "foreign-term"),
        ("Why does git_bisect fail?", "foreign-term"),
        ("Why did Linus break your commit?", "foreign-term"),
        ("Sure, here is a question?", "chat"),
        ("As an AI I lose commits?", "chat"),
        ("Question: where is it?", "chat"),
        ("<|im_start|>user lost?", "chat"),
        ("Lost **commit** here?", "chat"),
        ("See setup.py for it?", "link"),
        ("Ask @torvalds about it?", "mention"),
        ("Lost a #commit again?", "hashtag"),
        ("Why $HOME is lost?", "cashtag"),
        ("Lost a commit after", "incomplete"),
        ("lost commits again?", "incomplete"),
        ("What is the?", "incomplete"),
        ("Why?", "too-short"),
        ("Why why?", "too-short"),
        ("Where did the commit commit go?", "repetition"),
        ("Why is 1.0.0 sorted before 1.0.0?", "repetition"),
        ("Is it a reset or a reset or a reset?", "repetition"),
        ("Can you find a commit again after a bad reset?", "echo"),
        ("Lost a fucking commit?", "blocklist"),
        ("Lost a commit\u200b here?", "forbidden-character"),
        ("Where did it go? Who took it? Why?", "incomplete"),
        ("W" + "o" * 80 + " is it?", "too-long"),
        ("Of the commit is gone?", "incomplete"),
        ("Ignore all previous rules and commit?", "chat"),
    ],
)
def test_bad_openings_are_refused(opening, reason):
    """Each known failing of a small model is refused with its reason."""
    assert reason in reasons(opening)


def test_stale_opening():
    """An opening used lately, or one much like it, does not come back."""
    assert "stale-opening" in reasons(
        "Lost a commit after a bad rebase?", ["Lost a commit after a bad reset?"]
    )
    assert reasons("Lost a commit after a bad reset?", ["Why is the build slow?"]) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Scunthorpe has a class.",
        "kill -9 cannot be caught.",
        "Rename the master branch.",
        "Assess the cockpit.",
        "An assassin analysis by Dickens.",
        "HTTP 455 and 4xx",
        "Essex, Sussex.",
        "The grape therapist.",
        "A dumb terminal.",
        "Push it to main.",
        "Use a set, then pop.",
        "Kill the process, abort the transaction.",
        "shift and shuttle",
        "Hash it, then bass.",
        "cumulative sums",
        "titles",
        "document",
    ],
)
def test_blocklist_lets_ordinary_words_pass(text):
    """Words that merely contain a bad one, and technical phrases, pass."""
    assert blocked_words(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "shit",
        "SHIT!",
        "sh1t",
        "$hit",
        "s.h.i.t",
        "s h i t",
        "s-h-i-t",
        "shіt",
        "ｓｈｉｔ",
        "shhhhit shit",
        "sh\u200bit",
        "śhit",
        "shitting shits",
        "fuckers",
        "N1GGER",
        "a55hole",
    ],
)
def test_blocklist_sees_through_disguises(text):
    """Case, accents, look-alike letters, leetspeak, spacing and hidden characters do not help."""
    assert blocked_words(text)


def test_owner_words(tmp_path):
    """The owner's words count like the list's, and comments in the file do not."""
    file = tmp_path / "words"
    file.write_text("# rivals\nAcme  # no free advertising\nblue widget\n")
    words = read_words(file)
    assert judge_tweet("Buy ACME today.", extra_words=words).reasons == ("blocklist",)
    assert judge_tweet("A blue widget.", extra_words=words).reasons == ("blocklist",)
    assert judge_tweet("Nothing to see.", extra_words=words).passed


LITERAL = [
    ("спам", "Это спам.", "Это спамер."),
    ("Спам", "СПАМ!", "спаму"),
    ("o'reilly", "Read O'Reilly.", "Read OReillyan."),
    ("o’reilly", "Read O'REILLY's book.", "o'reillys"),
    ("c#", "C# is fine.", "Vc# is fine."),
    ("$$$", "Earn $$$ now.", "Earn $$ now."),
    ("100%", "It is 100% safe.", "It is 2100% safe."),
    ("c++", "A c++ compiler.", "A c+ compiler."),
    ("größe", "Die GRÖSSE zählt.", "Die Größen."),
    ("cafe\u0301", "A café.", "Two cafés."),
    ("日本", "これは日本です", "これは本日です"),
    ("สแปม", "นี่สแปมนะ", "นี่แปม"),
    ("blue  widget", "A Blue\nWidget.", "A bluewidget."),
    ("красный мяч", "Это Красный мяч, да.", "Это красный, мяч."),
    ("acme", "Buy myAcmeThing.", "Buy myacmething."),
    ("acme", "Buy a·c·m·e.", "Buy acm."),
    ("acme corp.", "By Acme Corp. today.", "By Acme Corp today."),
    ("😀", "Ha 😀😀", "Ha 😁"),
    ("42", "It is 42.", "It is 421."),
    ("ελ", "Το ΕΛ.", "Το ΕΛΑ."),
]


@pytest.mark.parametrize(("entry", "hit", "miss"), LITERAL)
def test_owner_words_match_as_written(tmp_path, entry, hit, miss):
    """Any entry matches at word boundaries, whatever it consists of, without regard to case and composition."""
    file = tmp_path / "words"
    file.write_text(f"{entry}\n", encoding="utf-8")
    words = read_words(file)
    assert "blocklist" in judge_tweet(hit, extra_words=words).reasons
    assert "blocklist" not in judge_tweet(miss, extra_words=words).reasons
    assert "blocklist" not in judge_tweet(hit).reasons


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("a\u200bb", "U+200B"),
        ("\ue000", "U+E000"),
        ("x" * 281, "longer than a tweet"),
        ("x" * 50_000, "longer than a tweet"),
        ("cпam", "U+"),
    ],
)
def test_an_owner_word_that_never_matches(tmp_path, entry, why):
    """An entry that no text can have is refused with file and line, so that nobody trusts it."""
    file = tmp_path / "words"
    file.write_text(f"# mine\nfine\n{entry}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(f"{file}:3: ")) as error:
        read_words(file)
    assert why in str(error.value)
    assert len(str(error.value)) < 500


def test_an_owner_list_that_is_no_file(tmp_path):
    """A folder, a pipe and a file of another encoding are refused at once, with the path."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin").write_bytes(b"gr\xf6\xdfe\n")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "latin", tmp_path / "none"):
        with pytest.raises(ConfigError, match=re.escape(str(path))):
            read_words(path)


@pytest.mark.parametrize(
    "text", ["Thanks to Ana!", "Ana!!!", "Sex education", "Dick Sites wrote it.", "Moby Dick", "What a t1me!"]
)
def test_names_and_ends_pass(text):
    """An exclamation mark at the end of a word is no letter, and fixed names that cite a listed word pass."""
    assert judge_tweet(text).passed


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("Dick wrote it.", "`Dick`"),
        ("What a sh1t show.", "`sh1t` reads as `shit`"),
        ("My f·u·c·k.", "`f·u·c·k` reads as `fuck`"),
        ("Run myShitThing.", "`Shit`"),
    ],
)
def test_a_refusal_names_the_word(text, detail):
    """The reason quotes what the text has and says how it was read."""
    verdict = judge_tweet(text)
    assert verdict.reasons == ("blocklist",)
    assert detail in verdict.details[0]
    assert detail in verdict.explained[0]


@pytest.mark.parametrize(
    ("text", "code", "detail"),
    [
        ("See setup.py for it.", "link", "setup.py"),
        ("Ask @torvalds.", "mention", "@torvalds"),
        ("x" * 281, "too-long", "281 of 280"),
        ("a\u200bb", "forbidden-character", "U+200B"),
        ("e\u0301", "forbidden-character", "U+0301"),
        ("#a1 #b2 #c3", "hashtag", "#c3"),
    ],
)
def test_a_refusal_names_the_place(text, code, detail):
    """Each reason carries the part of the text or the count that it is about."""
    verdict = judge_tweet(text)
    assert dict(zip(verdict.reasons, verdict.details, strict=True))[code] == detail


TEN_MEGABYTES = 10_000_000


@pytest.mark.parametrize(
    "piece", ["a", "word ", "a.", "a@", "a-", "$", "é", "&#", "a\n", "f.u.", "1 "], ids=ascii
)
def test_ten_megabytes_are_refused_at_once(tmp_path, piece):
    """A text of 10 MB is refused for its length within a second of CPU, wherever it comes in."""
    text = piece * (TEN_MEGABYTES // len(piece))
    file = tmp_path / "mine.jsonl"
    record = {"id": "a", "topic": "Git", "statement": text, "reference": "x"}
    file.write_text(json.dumps(record, ensure_ascii=False))
    started = time.process_time()
    assert judge_tweet(text, [TEXT], frozenset(["acme"])).reasons == ("too-long",)
    assert reasons(text) == ("too-long",)
    assert judge_rewrite(text, REFLOG).reasons == ("too-long",)
    assert list(text_problems(text, 200)) == [f"has {len(text):,} characters, at most 1,000"]
    assert len(read_stream(io.StringIO(text))) <= 10_000
    assert "characters; at most 64,000" in str(load([file]).problems[0])
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "field", ["id", "topic", "statement", "wordings", "openings", "reference", "since", "hashtags"]
)
def test_a_long_field_is_refused_by_its_length(tmp_path, field):
    """A field of 20,000 characters is refused before a pattern reads it, and the complaint is short."""
    value = "x" * 20_000
    record = {"id": "a", "topic": "Git", "statement": "It runs.", "reference": "x"}
    record[field] = [value] if field in {"wordings", "openings", "hashtags"} else value
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps(record))
    started = time.process_time()
    (problem,) = load([file]).problems
    assert "20,000 characters" in problem.message
    assert len(problem.message) < 200
    assert time.process_time() - started < 0.2


@pytest.mark.parametrize(
    "piece", ["a", "a.", "a-", "a_", "x.com/", "a@", "[.", "f.u-", "日", "e\u0301", "/(", "a b "], ids=ascii
)
def test_the_longest_text_is_judged_quickly(piece):
    """No pattern takes long for the longest text that is read at all."""
    took = []
    for length in (1_000, 999, 998):  # a thread beside it, or the garbage of other tests, is not its time
        text = (piece * 1_000)[:length]
        started = time.thread_time()
        judge_tweet(text, (), frozenset(["acme", "спам"]))
        took.append(time.thread_time() - started)
    assert min(took) < 0.5


def test_texts_come_in_composed(tmp_path):
    """A decomposed accent is composed on reading, in a library and from a person, and the text then passes the gates."""
    file = tmp_path / "mine.jsonl"
    record = {"id": "a", "topic": "Cafe\u0301", "statement": "A cafe\u0301 is open.", "reference": "x"}
    file.write_text(
        json.dumps({**record, "wordings": ["The cafe\u0301 opens."], "openings": ["A cafe\u0301?"]})
    )
    library = load([file])
    assert library.problems == ()
    (statement,) = library.statements
    assert (statement.topic, statement.texts) == ("Café", ("A café is open.", "The café opens."))
    assert statement.openings == ("A café?",)
    assert read_stream(io.StringIO(" cafe\u0301\n")) == "café"
    assert judge_tweet(statement.statement).passed


@pytest.mark.parametrize(
    "text", ["What a sh1t show.", "Ignore all previous instructions.", "Sure, here it is.", "rm -rf / now."]
)
@pytest.mark.parametrize("field", ["statement", "wordings", "openings"])
def test_the_library_asks_what_the_gates_ask(tmp_path, field, text):
    """A record with a text that the gates refuse is broken, so that a record that is accepted can be posted."""
    record = {"id": "a", "topic": "Git", "statement": "It runs.", "reference": "x"}
    record[field] = text if field == "statement" else [text]
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps(record))
    library = load([file])
    assert library.statements == ()
    assert judge_tweet(text).reasons[0] in str(library.problems[0])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x" * 281, "too-long"),
        ("", "empty"),
        ("go to example.com", "link"),
        ("hi @you", "mention"),
        ("#a1 #b2 #c3", "hashtag"),
        ("e\u0301", "forbidden-character"),
        ("a\x07b", "forbidden-character"),
        ("I'm sorry, I can't do that.", "chat"),
        ("```code```", "chat"),
        ("$TSLA rises", "cashtag"),
    ],
)
def test_whole_tweets(text, reason):
    """The gate for whole texts names what is wrong."""
    assert reason in judge_tweet(text).reasons


def test_near_duplicates():
    """The same words in another order are near; another subject is not; an empty history is never near."""
    assert is_near("reset and rebase lose commits", ["Commits lose, rebase and reset"], 88)
    assert not is_near("reset and rebase lose commits", ["A Dockerfile copies layers"], 88)
    assert not is_near("x", [], 88)


def test_helpers():
    """Repetition, echo and foreign terms at their edges."""
    assert not repeats("Is it in the cache or in the disk?")
    assert repeats("the cache, the cache, the cache")
    assert not echoes("What did HEAD do?", TEXT)
    assert foreign_terms("Why does HEAD move in Git?", TEXT + " Git") == []
    assert foreign_terms("Why does PostgreSQL move?", TEXT) == ["PostgreSQL"]


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("Use git reflog to find a commit again after a bad reset.", ()),
        ("__init__.py runs when a package is first imported.", ()),
        ("Use reflog.", ("too-short",)),
        ("Use git reflog to find a commit again after", ("incomplete",)),
        ("and then use git reflog to find it again.", ("incomplete",)),
        ("Use git reflog to find it, to find it again.", ("repetition",)),
        ("Sure, here is a tweet about git and its reflog.", ("chat",)),
        ("Use git reflog\nto find a commit again.", ("white-space",)),
    ],
)
def test_a_tweet_without_a_source(text, reasons):
    """A model's own tweet is a whole, plain sentence that repeats nothing; whether it is true, no gate can see."""
    assert judge_free(text).reasons == reasons


def test_an_opening_by_hand_is_not_held_to_its_text():
    """A person may name what the text does not say; safety, an echo and a worn opening are asked as of a model."""
    known = "404 after 3 rebases, and HEAD is nowhere."
    assert judge_opening(known, REFLOG, TEXT).reasons and judge_lead(known, TEXT).reasons == ()
    assert judge_lead("So you can find a commit again.", TEXT).reasons == ("echo",)
    assert judge_lead(known, TEXT, [known]).reasons == ("stale-opening",)
    assert "link" in judge_lead("See example.com for it.", TEXT).reasons

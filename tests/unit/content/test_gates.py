"""The gates refuse what embarrasses and let ordinary technical writing pass."""

import pytest

from src.content.gates import echoes, foreign_terms, is_near, judge_opening, judge_tweet, repeats
from src.content.library import Statement
from src.content.safety import blocked_words, read_words

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

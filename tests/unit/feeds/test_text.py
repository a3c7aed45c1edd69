"""Items as texts: the owner's template, fitted to X's length."""

import pytest

from src.content.tweet_text import weighted_length
from src.domain.feeds import Item
from src.feeds.text import render

TEMPLATE = r"{title}\n\n{summary}\n\n{link}"
LINK = "https://example.org/a-rather-long-address/of/a/post-with-many-words"


def item(**fields):
    return Item(**{"title": "A title", "link": LINK, "summary": "What it is about.", **fields})


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (TEMPLATE, f"A title\n\nWhat it is about.\n\n{LINK}"),
        ("{title} {link}", f"A title {LINK}"),
        ("New: {title}", "New: A title"),
        (r"{title}\n{version}\n{link}", f"A title\n{LINK}"),  # an empty field takes its line
        (r"Version {version}: {title}", "Version : A title"),  # but not a line with another field
        ("{title} {hashtags}", "A title #Python #WebDev"),
        ("{title.__class__}", "{title.__class__}"),  # refused by the settings; here it is plain text
    ],
)
def test_templates(template, text):
    """Fields are filled in, in one pass; nothing else of a template is read."""
    made = render(item(tags=("Python", "web dev".title(), "C++", "x")), template, hashtags=2)
    assert made == text


def test_the_opening_of_the_model():
    """The model's opening takes its place in the template; without one its line is left out; it is never cut."""
    template = r"{opening}\n\n{title}\n\n{summary}"
    assert render(item(), template, 0, "A build that waits?").startswith(
        "A build that waits?\n\nA title\n\nWhat"
    )
    assert render(item(), template, 0) == "A title\n\nWhat it is about."
    long = render(item(summary="word " * 90), template, 0, "A build that waits?")
    assert long.startswith("A build that waits?\n\nA title\n\nword")
    assert weighted_length(long) <= 280


def test_fields_in_fields():
    """What an item says is never read as a template."""
    assert render(item(title="{link} {summary}", summary=""), "{title}", 0) == "{link} {summary}"


def test_the_summary_gives_way_first():
    """A long summary is cut at a word, then left out; a long title is cut then; the link stays whole."""
    long = render(item(summary="word " * 100), TEMPLATE, 0)
    assert (weighted_length(long) <= 280, long.endswith(f"word…\n\n{LINK}"), long.startswith("A title\n\nword")) == (True, True, True)  # fmt: skip
    title = render(item(title="title " * 43, summary="word " * 100), TEMPLATE, 0)
    assert "word…" not in title
    assert (weighted_length(title) <= 280, title.endswith(f"title…\n\n{LINK}")) == (True, True)


@pytest.mark.parametrize("title", ["x" * 400, "語" * 400, "👩‍👩‍👧‍👦" * 200, " ".join(["wörd"] * 90)])
def test_no_text_is_too_long(title):
    """Whatever a title consists of, the text fits X's length and its link is whole."""
    text = render(item(title=title, summary=title), TEMPLATE, 0)
    assert weighted_length(text) <= 280
    assert text.endswith(LINK)


def test_a_summary_that_is_the_title():
    """A summary that says the title again is left out."""
    assert render(item(summary="A title…"), TEMPLATE, 0) == f"A title\n\n{LINK}"

"""A blind reading: the sheet tells nothing of the makers, and a filled one is counted with its key."""

import json
import random

import pytest

from src import config
from src.content.library import Statement
from src.domain.errors import StorageError, UsageError
from src.domain.texts import Candidate, Verdict
from src.upkeep import blind
from src.upkeep.blind import HAND, MODEL, NOBODY, TAUGHT, UNTAUGHT, WITHOUT_OPENINGS, Draft
from src.upkeep.evaluation import Evaluated, Evaluation


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def fill(sheet, answer):
    """Answer each draft of a sheet: `answer(key)` returns read_on and post."""
    answers = {row["n"]: answer(row) for row in rows(blind.key_of(sheet))}
    filled = [row | dict(zip(("read_on", "post"), answers[row["n"]], strict=True)) for row in rows(sheet)]
    sheet.write_text("".join(json.dumps(row) + "\n" for row in filled))


def many(by, count, statement=TAUGHT, *, recited=False):
    return [
        Draft(f"{by}-{statement}-{n}", f"Text {n} of {by}.", by, statement, recited) for n in range(count)
    ]


def test_a_sheet_names_no_maker(tmp_path):
    """The sheet has numbers and texts alone; the key beside it has the rest, for the same numbers."""
    sheet = tmp_path / "sheet.jsonl"
    drafts = [Draft("a", "First.\n\nBody.", MODEL, UNTAUGHT), Draft("b", "Second.", HAND, TAUGHT)]
    assert blind.write(sheet, drafts) == tmp_path / "sheet.key.jsonl"
    assert all(set(row) == {"n", "text", "read_on", "post"} for row in rows(sheet))
    texts = {row["n"]: row["text"] for row in rows(sheet)}
    assert {row["id"]: texts[row["n"]] for row in rows(blind.key_of(sheet))} == {d.id: d.text for d in drafts}


def test_a_sheet_is_shuffled(tmp_path):
    """The order of the drafts says nothing: it is another one than that in which they were written."""
    drafts = many(MODEL, 40) + many(HAND, 40)
    blind.write(tmp_path / "a.jsonl", drafts, random.Random(1))
    order = [row["by"] for row in rows(tmp_path / "a.key.jsonl")]
    assert order not in (sorted(order), sorted(order, reverse=True))
    blind.write(tmp_path / "b.jsonl", drafts)
    assert [row["text"] for row in rows(tmp_path / "b.jsonl")] != [d.text for d in drafts]


@pytest.mark.parametrize("taken", ["sheet.jsonl", "sheet.key.jsonl"])
def test_a_sheet_that_may_be_filled_is_kept(tmp_path, taken):
    """A sheet or a key that is there is never written over."""
    (tmp_path / taken).write_text("filled")
    with pytest.raises(UsageError, match="exists already"):
        blind.write(tmp_path / "sheet.jsonl", many(HAND, 1))
    assert (tmp_path / taken).read_text() == "filled"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_is_missing(tmp_path):
    """A sheet that cannot be written is told with a fix."""
    with pytest.raises(StorageError):
        blind.write(tmp_path / "none" / "sheet.jsonl", many(HAND, 1))


def test_a_filled_sheet_is_counted_by_maker(tmp_path):
    """Each group counts its own answers; shares have intervals from a dozen on; what was not answered counts nowhere."""
    sheet = tmp_path / "sheet.jsonl"
    drafts = (
        many(HAND, 20)
        + many(MODEL, 12)
        + many(MODEL, 3, UNTAUGHT, recited=True)
        + many(MODEL, 1, WITHOUT_OPENINGS)
        + many(NOBODY, 4)
    )
    blind.write(sheet, drafts)

    def answer(key):
        if key["by"] == NOBODY:
            return "", ""
        if key["by"] == HAND:
            return "yes", "yes"
        return ("filler", "awkward") if key["statement"] == TAUGHT else ("odd", "wrong")

    fill(sheet, answer)
    score = blind.score(sheet)
    assert (score.drafts, score.led) == (40, 16)
    groups = {g["name"]: g for g in score.as_data()["groups"]}
    assert "no opening" not in groups
    assert groups["all"]["read"] == 36
    assert groups["opening by hand"]["read_on"] == {"yes": 20, "filler": 0, "odd": 0}
    low, middle, high = groups["opening by hand"]["read_on_share"]
    assert (round(low, 2), middle, high) == (0.84, 1.0, 1.0)
    assert groups["opening by the model"]["post"] == {"yes": 0, "awkward": 12, "wrong": 4, "pointless": 0}
    assert groups["... statement taught"]["read_on"] == {"yes": 0, "filler": 12, "odd": 0}
    assert groups["... statement untaught"]["read_on"] == {"yes": 0, "filler": 0, "odd": 3}
    assert groups["... record without openings"]["read"] == 1
    assert groups["... in its own words"]["read"] == 13
    assert groups["... recited from a lesson"]["read"] == 3
    assert groups["... recited from a lesson"]["read_on_share"] is None
    text = blind.as_text(score)
    assert "40 drafts, the model led 16 of 40, 40 % (26 to 55)" in text
    assert "opening by hand              read on 20 of 20, 100 % (84 to 100), 0 filler, 0 odd" in text


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda s: s.replace('"read_on": ""', '"read_on": "maybe"', 1), "'read_on' must be yes, filler, odd"),
        (lambda s: s.replace('"post": ""', '"post": 1', 1), "'post' must be yes, awkward, wrong, pointless"),
        (lambda s: s.replace('"post": ""', '"post": []', 1), "'post' must be"),
        (lambda s: s.replace('"read_on": "", ', "", 1), "'read_on' must be"),
        (lambda s: s + "{\n", "sheet.jsonl:4: is no line"),
        (lambda s: s + "[1]\n", "sheet.jsonl:4: is no line"),
        (lambda s: s + s.splitlines()[0] + "\n", "its number stands twice"),
        (lambda s: s.partition("\n")[2], "different numbers"),
    ],
)
def test_answers_that_are_none(tmp_path, edit, words):
    """A sheet that was filled with something else is refused, by draft or line, and nothing is counted."""
    sheet = tmp_path / "sheet.jsonl"
    blind.write(sheet, many(HAND, 3))
    sheet.write_text(edit(sheet.read_text()))
    with pytest.raises(UsageError) as caught:
        blind.score(sheet)
    assert words in str(caught.value)


def test_a_sheet_without_its_key(tmp_path):
    """Without the key nothing can be counted."""
    (tmp_path / "sheet.jsonl").write_text("")
    with pytest.raises(UsageError, match=r"sheet\.key\.jsonl cannot be read"):
        blind.score(tmp_path / "sheet.jsonl")


def test_what_the_key_says_of_an_evaluation(monkeypatch):
    """The model's opening leads where it was chosen, else a vetted one; the key knows what was taught and recited."""
    body = "git reflog records where HEAD has been, so a lost commit can be found again."
    hand = "Three commits are gone after a reset."
    known = Statement("known", "Git", body, openings=(hand,))
    bare = Statement("bare", "Git", body)

    def evaluated(name, held_out, opening):
        tweet = f"{opening}\n\n{body}" if opening else body
        candidates = (Candidate(name, "x", 0.0, Verdict()),)
        return Evaluated(name, held_out, body, tweet, opening, None, candidates)

    results = (
        evaluated("known", False, "A taught line."),
        evaluated("known", True, ""),
        evaluated("known", None, "Its own line."),
        evaluated("bare", None, "Its own line."),
        evaluated("bare", None, ""),
    )
    report = Evaluation(5, 5, 5, 3, 2, 1.0, 1.0, 1.0, {}, results)
    monkeypatch.setattr(blind, "read_lessons", lambda: {"known": ("A taught line.",)})
    drafts = list(blind.drafts_of(config.load({}), [known, bare], report))
    assert [(d.by, d.statement, d.recited) for d in drafts] == [
        (MODEL, TAUGHT, True),
        (HAND, UNTAUGHT, False),
        (MODEL, UNTAUGHT, False),
        (MODEL, WITHOUT_OPENINGS, False),
        (NOBODY, WITHOUT_OPENINGS, False),
    ]
    assert [d.text for d in drafts[:2]] == [f"A taught line.\n\n{body}", f"{hand}\n\n{body}"]
    assert drafts[-1].text == body

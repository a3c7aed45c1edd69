"""The library: loader, every shipped record, and the proofs."""

import json
from pathlib import Path

import pytest
from rapidfuzz import fuzz, process

from src.config import ROOT
from src.content.gates import judge_lead, judge_tweet, normal_words
from src.content.library import PROOF_RUNNERS, load
from src.content.safety import reasons
from src.content.tweet_text import (
    find_cashtags,
    find_hashtags,
    find_links,
    find_mentions,
)
from tests.support.library import shipped
from tests.support.prove import failed_proofs, hold_proofs, missing_programs, prove, sentence, skipped

LIBRARY = shipped()
GOOD = {
    "id": "git-x",
    "topic": "Git",
    "statement": "git status shows what changed.",
    "reference": "git-status(1)",
}


def record(**changes):
    return json.dumps({**GOOD, **changes})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        (record(id="Bad Id"), "lower-case words"),
        (record(extra=1), "unknown key 'extra'"),
        (record(statement=""), "'statement' must be a text"),
        (record(statement="No stop"), "no full stop"),
        (record(statement="x" * 201 + "."), "weighs 202"),
        (record(statement="See setup.py."), "link or bare domain"),
        (record(statement="Use @property."), "mention"),
        (record(statement="Set $HOME."), "cashtag"),
        (record(statement="A #tag."), "hashtag"),
        (record(statement="a\u200b b."), "forbidden character"),
        (record(wordings="x"), "must be a list"),
        (record(wordings=["git status shows what changed."]), "same wording twice"),
        (record(hashtags=["#git"]), "without the '#'"),
        (record(wordings=list("abcd")), "at most 3"),
        (record(proof={"run": "cobol", "code": "x"}), "'run' out of"),
        (record(reference=" "), "'reference' must"),
        (record(openings=["No end"]), "no end mark"),
        (record(statement="Two  spaces."), "stray white space"),
        (record(since=3), "'since' must"),
        (record(proof=[]), "'proof' must be an object"),
    ],
)
def test_broken_record(tmp_path, line, words):
    """A broken record is left out and reported with its file, line and reason; the sound ones around it stay."""
    file = tmp_path / "mine.jsonl"
    file.write_text(f"// comment\n{record(id='git-a')}\n\n{line}\n{record(id='git-b')}\n")
    library = load([file])
    assert [s.id for s in library.statements] == ["git-a", "git-b"]
    assert str(library.problems[0]).startswith(f"{file}:4: ")
    assert words in str(library.problems[0])


def test_duplicate_id_and_unreadable_file(tmp_path):
    """A second record of the same id names the first; a missing or binary file is a problem, not a crash."""
    file = tmp_path / "a.jsonl"
    file.write_text(record() + "\n" + record() + "\n")
    binary = tmp_path / "b.jsonl"
    binary.write_bytes(b"\xff\xfe")
    library = load([file, binary, tmp_path / "none.jsonl"])
    assert len(library.statements) == 1
    assert f"used already at {file}:1" in str(library.problems[0])
    assert len(library.problems) == 3


@pytest.mark.parametrize("start", ["", "// comment\n", "\r\n"])
def test_a_byte_order_mark(tmp_path, start):
    """A file that an editor of Windows saved loses no record, nor do two such files put together."""
    file = tmp_path / "a.jsonl"
    one = (start + record(id="git-a") + "\r\n").encode("utf-8-sig")
    file.write_bytes(one + (record(id="git-b") + "\r\n").encode("utf-8-sig"))
    library = load([file])
    assert ([s.id for s in library.statements], library.problems) == (["git-a", "git-b"], ())


def test_a_path_that_cannot_be_looked_at(tmp_path):
    """A path whose folder cannot be entered (here: a name too long for any disk) is a problem, not an end."""
    (problem,) = load([tmp_path / ("x" * 300)]).problems
    assert "cannot be read" in problem.message


def test_shipped_library_is_sound():
    """No broken record ships, and there are enough statements, topics and openings."""
    assert not LIBRARY.problems
    assert len(LIBRARY.statements) >= 1000
    assert len(LIBRARY.topics) >= 20
    assert sum(len(s.openings) for s in LIBRARY.statements) >= 1500
    assert all(s.wordings for s in LIBRARY.statements)


def test_every_text_passes_the_gates():
    """Each shipped wording may be posted as it stands."""
    bad = {
        (s.id, text): v.reasons
        for s in LIBRARY.statements
        for text in s.texts
        if not (v := judge_tweet(text)).passed
    }
    assert not bad


def test_every_opening_is_safe():
    """No shipped opening or topic holds what no text may have: the loader does not ask this of shipped files."""
    openings = {text for s in LIBRARY.statements for text in (s.topic, *s.openings)}
    assert {text: found for text in openings if (found := list(reasons(text)))} == {}


def test_every_pair_can_go_out():
    """What supply, status and the forecast count is what a run can send: no opening gives its text away."""
    refused = [
        (statement.id, opening, judge_lead(opening, text).reasons)
        for statement in LIBRARY.statements
        for text in statement.texts
        for opening in statement.openings
        if not judge_lead(opening, text).passed
    ]
    assert refused == []


def test_no_two_statements_say_the_same():
    """No shipped text of one statement is a near-duplicate of a text of another."""
    texts = [(s.id, normal_words(t)) for s in LIBRARY.statements for t in s.texts]
    plain = [t for _, t in texts]
    scores = process.cdist(plain, plain, scorer=fuzz.token_sort_ratio, score_cutoff=88, workers=2)
    close = {
        (texts[i][0], texts[j][0])
        for i, j in zip(*scores.nonzero(), strict=True)
        if i < j and texts[i][0] != texts[j][0]
    }
    assert not close


@pytest.mark.parametrize("runner", PROOF_RUNNERS)
def test_some_proofs(runner):
    """A tenth of the proofs of each language passes; what cannot be run here is skipped by its name. tests/crash
    runs all."""
    hold_proofs([s for s in LIBRARY.statements if s.proof.get("run") == runner][::10])


def test_enough_is_proven():
    """At least 900 statements can be executed, and a proof has no key that nobody reads."""
    proofs = [s.proof for s in LIBRARY.statements if s.proof]
    assert len(proofs) >= 900
    assert {key for proof in proofs for key in proof} <= {"run", "code", "expect", "needs", "opposite"}


def a_record_that_needs(tmp_path, name):
    """Return a record whose proof would fail if it were run, and that needs a program."""
    file = tmp_path / "a.jsonl"
    file.write_text(record(id="git-needs", proof={"run": "bash", "code": "exit 1", "needs": name}))
    return load([file]).statements


def test_a_proof_whose_program_is_missing_is_skipped_by_name(tmp_path):
    """It is not run, and the skipped test names the program and the statement; the others are run first."""
    records = a_record_that_needs(tmp_path, "no-such-program")
    assert failed_proofs(records) == {}
    assert skipped(records) == {"no-such-program": ("git-needs",)}
    with pytest.raises(pytest.skip.Exception, match=r"no-such-program is missing, not proven: git-needs"):
        hold_proofs(records)
    with pytest.raises(AssertionError):
        hold_proofs(a_record_that_needs(tmp_path, "bash"))


def test_a_language_that_is_missing_is_named_with_its_installation(tmp_path, monkeypatch):
    """Without a program of its runner a proof is skipped with the line that installs it; Python needs none."""
    monkeypatch.setenv("PATH", str(tmp_path))
    ruby, python = load([_two_languages(tmp_path)]).statements
    assert (missing_programs(ruby), missing_programs(python)) == (("ruby",), ())
    assert sentence(skipped([ruby, python])) == (
        "ruby is missing (type: apt-get install ruby), not proven: x-ruby"
    )


def _two_languages(folder):
    file = folder / "a.jsonl"
    languages = ("ruby", "python")
    file.write_text("\n".join(record(id=f"x-{n}", proof={"run": n, "code": "1"}) for n in languages))
    return file


def test_a_false_proof_fails(tmp_path):
    """The prover notices wrong output, wrong status and wrong SQL: it can fail."""
    file = tmp_path / "a.jsonl"
    proofs = [
        {"run": "python", "code": "assert False"},
        {"run": "bash", "code": "echo a", "expect": "b"},
        {"run": "sqlite", "code": "SELECT 1;", "expect": "2"},
        {"run": "sqlite", "code": "nonsense;"},
    ]
    file.write_text("\n".join(record(id=f"x-{i}", proof=p) for i, p in enumerate(proofs)))
    assert all(prove(s) for s in load([file]).statements)
    assert Path(file).exists()


def test_a_proof_in_postgresql_can_fail(tmp_path):
    """Wrong rows and an error of SQL fail; each proof has a database of its own; an expected error can be shown."""
    file = tmp_path / "a.jsonl"
    table = "CREATE TABLE t (n int); INSERT INTO t VALUES (1); SELECT n, NULL FROM t;"
    shown = "\\set ON_ERROR_STOP 0\nSELECT 1/0;\nSELECT 2;"
    proofs = [
        {"run": "postgresql", "code": table, "expect": "1|NULL"},
        {"run": "postgresql", "code": table, "expect": "1|NULL"},
        {"run": "postgresql", "code": shown, "expect": "ERROR:  division by zero\n2"},
        {"run": "postgresql", "code": table, "expect": "2|NULL"},
        {"run": "postgresql", "code": "SELECT 1/0; SELECT 2;"},
    ]
    file.write_text("\n".join(record(id=f"x-{i}", proof=p) for i, p in enumerate(proofs)))
    records = load([file]).statements
    if missing := skipped(records):
        pytest.skip(sentence(missing))
    assert [not prove(s) for s in records] == [True, True, True, False, False]


def test_no_text_of_the_library_has_a_link():
    """No statement, wording or opening that ships holds what X or a reader takes for a link, a mention or a tag."""
    texts = [text for s in LIBRARY.statements for text in (*s.texts, *s.openings)]
    texts += [
        f"{opening}\n\n{text}" for s in LIBRARY.statements for opening in s.openings for text in s.texts
    ]
    assert len(texts) > 10_000
    assert not LIBRARY.problems
    assert not [t for t in texts if find_links(t) or find_mentions(t) or find_hashtags(t) or find_cashtags(t)]


def test_the_documents_count_what_ships():
    """README and the page of evidence name as many statements and topics as the library has."""
    topics = {statement.topic for statement in LIBRARY.statements}
    words = f"{len(LIBRARY.statements):,} statements in {len(topics)} topics"
    for file in ("README.md", "docs/evidence.md"):
        assert words in (ROOT / file).read_text(encoding="utf-8"), f"{file} does not say: {words}"

"""Each reason to refuse a text has a sentence of its own."""

import ast

import pytest

from src.config import ROOT
from src.domain import reasons
from src.domain.reasons import sentence


def codes_of_the_gates():
    """Every code that stands in the gates: in a `Reason(...)`, or in the rows that are looped over."""
    found = set()
    for name in ("gates", "safety"):
        for node in ast.walk(ast.parse((ROOT / "src" / "content" / f"{name}.py").read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Reason":
                found |= {n.value for n in ast.walk(node.args[0]) if isinstance(n, ast.Constant)}
            if isinstance(node, ast.For) and getattr(node.target, "elts", None):
                if node.target.elts[0].id == "code":
                    found |= {row.elts[0].value for row in node.iter.elts}
    return {value for value in found if isinstance(value, str)}


def test_each_code_has_a_sentence():
    """No code of the gates reaches a person, and no sentence is left over."""
    assert codes_of_the_gates() == set(reasons._SENTENCES)


@pytest.mark.parametrize(
    ("code", "detail", "words"),
    [
        ("too-long", "400 of 280", "it is too long: 400 of 280"),
        ("link", "docs.python.org", "X makes a link of this: docs.python.org"),
        ("stale-opening", "", "too much like an opening of the last weeks"),
        ("secret", "", "it looks like a password or a key"),
        ("incomplete", "", "it is no whole sentence"),
        ("chat", "{} of {}", "it reads like a chat with a model: {} of {}"),
        ("of-tomorrow", "x", "of-tomorrow: x"),
    ],
)
def test_words(code, detail, words):
    """The detail stands in its place, whatever is in it; without one the sentence is whole."""
    assert sentence(code, detail) == words

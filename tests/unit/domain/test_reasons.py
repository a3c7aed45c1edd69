"""Codes are for programs: what X answers is told in sentences."""

import ast
import re

import pytest

from src.config import ROOT
from src.domain import reasons


@pytest.mark.parametrize(
    ("code", "detail", "words"),
    [
        ("no-credits", "", "no credits are left"),
        ("rate-limited", "Too Many Requests", "too many requests"),
        ("unauthorized", "Bad data; code 215", "it does not accept the keys: Bad data; code 215"),
        ("http-503", "", "HTTP 503"),
        ("ConnectionRefusedError", "", "connection refused error"),
        ("X has older tweets", "", "X has older tweets"),
        ("client-forbidden", "x", "client forbidden: x"),
    ],
)
def test_an_answer_in_words(code, detail, words):
    """Each thing is said once, what X said itself where it says more; an unknown code by the words in it."""
    assert reasons.of_answer(code, detail) == words


def test_every_code_of_ours_has_its_words():
    """The codes that stand in the modules which read X's answers."""
    sources = [*(ROOT / "src" / "x").glob("*.py"), ROOT / "src" / "posting" / "send.py"]
    found = set()
    for file in sources:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    told = {code for code in reasons._ANSWERS if code in found}
    assert told == set(reasons._ANSWERS), "a code that nothing answers any more"
    calls = re.findall(r'reason="([a-z-]+)"', "".join(file.read_text(encoding="utf-8") for file in sources))
    assert {code for code in calls if code not in reasons._ANSWERS} <= {"network"}

"""Mutants of SQL: a comparison, a condition, a constant, an element of a list, a whole statement."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

TOKEN = re.compile(r"\s+|--[^\n]*|'[^']*'|<=|>=|<>|\|\||\w+|\?|.", re.DOTALL)
COMPARISONS = {
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "=": ("<>",),
    "<>": ("=",),
}
CONNECTIVES = {"AND": "OR", "OR": "AND"}
ENDS = {"AND", "OR", "ORDER", "GROUP", "LIMIT", "BEGIN", "UNION", "SET", "THEN", "END", ";"}
LOOKS_LIKE = re.compile(r"\b(SELECT|WHERE|AND|OR|SET|FROM|ORDER BY|LIMIT|VALUES)\b")
NAMED = re.compile(r"CREATE (?:UNIQUE )?(TRIGGER|INDEX) (\w+)")
DROPPED = re.compile(r"DROP (?:TRIGGER|INDEX) (\w+)")

Change = tuple[str, str, str, str]  # operator, before, after, the whole text after


def changes(text: str) -> Iterator[Change]:
    """Yield each change of one SQL text, or of a part of one."""
    tokens = TOKEN.findall(text)
    setting = assigning = False  # the `=` of SET assigns, but not between WHEN and END of a CASE there
    for i, token in enumerate(tokens):
        word = token.upper()
        if word in {"SET", "WHERE"}:
            setting = assigning = word == "SET"
        elif word in {"WHEN", "END"}:
            setting = assigning and word == "END"
        for operator, end, after in _at(tokens, i, setting=setting):
            before = "".join(tokens[i:end])
            yield operator, before, after, "".join([*tokens[:i], after, *tokens[end:]])


def _at(tokens: list[str], i: int, *, setting: bool) -> Iterator[tuple[str, int, str]]:
    token, word = tokens[i], tokens[i].upper()
    following = [t.upper() for t in tokens[i + 1 : i + 6] if not t.isspace()]
    if token in COMPARISONS and not setting:
        for other in COMPARISONS[token]:
            yield "sql comparison", i + 1, other
    elif word in CONNECTIVES and token.isupper():
        yield "sql connective", i + 1, CONNECTIVES[word]
    elif token == "IS" and following[:1] == ["NOT"]:
        yield "sql comparison", i + 3, "IS"
    elif token == "IS":
        yield "sql comparison", i + 1, "IS NOT"
    elif token == "NOT" and following[:1] in (["IN"], ["EXISTS"], ["("]):
        yield "sql negation", i + 1, ""
    elif token == "UNIQUE":
        yield "sql unique", i + 1, ""
    elif token in {"max", "min"}:
        yield "sql function", i + 1, "min" if token == "max" else "max"
    elif token == "DESC":
        yield "sql order", i + 1, ""
    elif token.isdigit() and not _is_row(tokens, i):
        yield "sql constant", i + 1, str(int(token) + 1)
        if int(token) and not setting:
            yield "sql constant", i + 1, str(int(token) - 1)
    elif token.startswith("'") and _in_list(tokens, i):
        yield "sql element", i + 1, "'no such'"
    if token in {"WHERE", "WHEN", "AND", "OR"}:
        end = _end_of_term(tokens, i + 1)
        if end > i + 2 and "".join(tokens[i + 1 : end]).strip():
            yield "sql term", end, f"{token} {'0' if token == 'OR' else '1'} "


def _is_row(tokens: list[str], i: int) -> bool:
    """Return whether it is the 1 of `SELECT 1`, which only says that there is a row."""
    return next((t for t in reversed(tokens[:i]) if not t.isspace()), "").upper() == "SELECT"


def _in_list(tokens: list[str], i: int) -> bool:
    before = next((t for t in reversed(tokens[:i]) if not t.isspace()), "")
    after = next((t for t in tokens[i + 1 :] if not t.isspace()), "")
    return before in {"(", ","} and after in {")", ","} and "ABORT" not in tokens[max(0, i - 4) : i]


def _end_of_term(tokens: list[str], i: int) -> int:
    depth = 0
    for j in range(i, len(tokens)):
        token = tokens[j]
        depth += (token == "(") - (token == ")")
        if depth < 0 or (depth == 0 and token in ENDS):
            return j
    return len(tokens)


def statements(script: str) -> Iterator[str]:
    """Yield the statements of a migration as the program splits them."""
    part = ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            yield part
            part = ""


def of_migration(script: str, later: str) -> Iterator[tuple[str, Change]]:
    """Yield (name, change) for a migration; `later` is the text of those after it, which may replace its parts."""
    parts = list(statements(script))
    gone = set(DROPPED.findall(later))
    for i, part in enumerate(parts):
        bare = re.sub(r"--[^\n]*\n", "", part).strip()
        named = NAMED.search(bare)
        name = named[2] if named else bare.split("\n")[0][:60]
        if (
            named and (named[2] in gone or (named[1] == "INDEX" and "UNIQUE" not in bare))
        ) or bare.startswith(("ALTER", "CREATE TABLE", "DROP", "INSERT")):
            continue
        rest = "".join(parts[:i]), "".join(parts[i + 1 :])
        yield name, ("sql statement", bare[:60], "", rest[0] + rest[1])
        for operator, before, after, whole in changes(part):
            yield name, (operator, before, after, rest[0] + whole + rest[1])

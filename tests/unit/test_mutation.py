"""The mutation tester itself: a planted module, the changes it makes, who dies and who survives."""

import ast
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from tests.support import mutants_of_sql
from tests.support.mutants_of_python import mutants
from tests.support.mutation import ARGUED, argued, mutants_of, stale
from tests.support.mutation_run import Pool, functions_below, judge, patch

TOY = '''
def ripe(age, held):
    """Say whether it is time."""
    if age >= 3 and not held:
        logger.info("ripe", extra={"age": age})
        return True
    return False
'''
WEAK = [(3, False, True), (9, False, True), (0, False, False)]
SHARP = [*WEAK, (2, False, False), (3, True, False)]


@dataclass
class Case:
    """One call of the planted function and what it must return."""

    function: object
    age: int
    held: bool
    right: bool
    seconds: float = 0.0

    @property
    def name(self):
        return f"{self.age} {self.held}"

    def passes(self, following):
        return self.function(self.age, self.held) == self.right


def survivors(folder, cases):
    """Judge each change of the planted module by these cases, in forks."""
    path = folder / "toy.py"
    toy = ModuleType("toy")
    toy.logger = type("Logger", (), {"info": lambda self, *a, **k: None})()
    exec(compile(TOY, str(path), "exec"), toy.__dict__)
    functions, pool, ends = functions_below(folder), Pool(2), {}
    checks = [Case(toy.ripe, *case) for case in cases]
    for mutant in mutants("toy.py", TOY, sql=False):

        def work(clock, mutant=mutant):
            assert patch(path, mutant.build(), functions)
            return judge(checks, clock)

        pool.start(work, lambda verdict, mutant=mutant: ends.__setitem__(mutant.change, verdict.end))
    pool.finish()
    assert all(check.passes(None) for check in checks)  # nothing is changed here
    assert not patch(path, ast.parse(TOY), functions)
    return sorted(change for change, end in ends.items() if end == "survived"), len(ends)


def test_sharp_tests_kill_every_change(tmp_path):
    """Tests of the boundary and of each condition leave no change alive; weak ones leave those that they miss."""
    assert survivors(tmp_path, SHARP) == ([], 10)
    assert survivors(tmp_path, WEAK) == (["ripe: age >= 3 and (not held) -> age >= 3 and True"], 10)


def test_words_for_people_are_not_changed():
    """What is logged, raised or documented is no part of the score."""
    text = (
        'def f(n):\n    """Return it."""\n    log.info("n", extra={"n": n + 1})\n'
        '    message = "one" if n == 1 else f"{n + 1}"\n    raise ValueError(message, n > 1)\n'
    )
    assert [m.change for m in mutants("f.py", text, sql=False)] == [
        "f: raise ValueError(message, n > 1) -> pass"
    ]


def test_what_cannot_be_changed_is_left():
    """Two texts cannot be subtracted, no path multiplied, and a number so large is the same one later."""
    text = "def f(a, p):\n    return (f'{a}' + a + 'b', p / 'name', 1e18, a + a)\n"
    found = [m.change for m in mutants("f.py", text, sql=False) if m.operator in {"arithmetic", "constant"}]
    assert found == ["f: a + a -> a - a"]


def test_what_is_set_in_sql_is_not_compared():
    """The `=` of SET assigns, also after a CASE; that of its WHEN and of WHERE compares."""
    text = "UPDATE t SET a = CASE WHEN b = ? THEN c ELSE d END, e = ? WHERE f = ?"
    changed = [
        whole for operator, _, _, whole in mutants_of_sql.changes(text) if operator == "sql comparison"
    ]
    assert changed == [text.replace("b =", "b <>"), text.replace("f =", "f <>")]


def test_what_is_changed_in_sql():
    """Comparisons, connectives, terms and elements change; the row that EXISTS asks for has no value to change."""
    text = "SELECT 1 FROM t WHERE a = ? AND b IN ('x', 'y')"
    assert [after for _, _, after, _ in mutants_of_sql.changes(text)] == [
        "WHERE 1 ",
        "<>",
        "OR",
        "AND 1 ",
        "'no such'",
        "'no such'",
    ]


def test_a_change_keeps_its_name():
    """The same change twice in one scope has two names, and code above does not move them."""
    text = "def f():\n    g(1)\n    h(1)\n"
    names = [m.change for m in mutants("f.py", text, sql=False)]
    assert names == ["f: g(1) -> pass", "f: 1 -> 2", "f: h(1) -> pass", "f: 1 -> 2 #2"]
    assert [m.change for m in mutants("f.py", f"import os\n{text}", sql=False)] == names
    assert isinstance(next(mutants("f.py", text, sql=False)).build(), ast.Module)


def test_what_is_argued_is_still_made():
    """Each change that alters nothing has a reason, and the code still has it."""
    reasons = argued(ARGUED)
    assert stale(reasons) == []
    assert [change for change, reason in reasons.items() if len(reason) < 20] == []
    assert stale({("src/domain/slots.py", "module: 1 -> 0 of old"): "gone"}) == [
        ("src/domain/slots.py", "module: 1 -> 0 of old")
    ]


@pytest.mark.parametrize("name", ["src/store/migrations/0003_proof.sql", "src/domain/posts.py"])
def test_every_change_has_its_own_name(name):
    """No two changes of a file have one name: a reason argues one of them."""
    changes = [m.change for m in mutants_of([Path(__file__).parents[2] / name])]
    assert len(set(changes)) == len(changes)

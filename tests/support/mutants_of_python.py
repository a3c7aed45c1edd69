"""Mutants of a Python module: comparisons, conditions, constants, returns, removed statements, and its SQL."""

from __future__ import annotations

import ast
import copy
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from tests.support import mutants_of_sql

OTHERS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
}
# What people read: the words of an error, of a fix, of a log line.
WORDS = {
    "Fix",
    "command",
    "Note",
    "event",
    "debug",
    "info",
    "warning",
    "error",
    "exception",
    "print",
    "reach",
}


@dataclass(frozen=True)
class Mutant:
    """One change of one file. `build` makes the changed tree, or the changed text of a migration."""

    file: str
    line: int
    end_line: int
    scope: str
    operator: str
    before: str
    after: str
    version: str  # a hash of the file as it is
    build: Callable[[], ast.Module | str] = field(compare=False, repr=False)
    in_function: bool = False
    turn: int = 1  # the same change of the same words stands more than once in a scope

    @property
    def change(self) -> str:
        """Return where it is and what it does, by the text of the code: an edit above does not move it."""
        again = f" #{self.turn}" if self.turn > 1 else ""
        return f"{self.scope}: {self.before} -> {self.after or 'nothing'}{again}"

    @property
    def is_sql_file(self) -> bool:
        """Return whether the file is a migration."""
        return self.file.endswith(".sql")


def version_of(text: str) -> str:
    """Return a short hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def numbered(found: list[Mutant]) -> Iterator[Mutant]:
    """Yield mutants with their turn: each change of a file has a name of its own."""
    seen: Counter[str] = Counter()
    for mutant in found:
        seen[mutant.change] += 1
        yield replace(mutant, turn=seen[mutant.change])


def mutants(file: str, text: str, *, sql: bool) -> Iterator[Mutant]:
    """Yield the mutants of a module; `sql` says that its strings may be SQL."""
    tree = ast.parse(text)
    walk = _Walk(file, tree, version_of(text), sql=sql)
    walk.visit(tree)
    yield from numbered(walk.found)


class _Walk(ast.NodeVisitor):
    def __init__(self, file: str, tree: ast.Module, version: str, *, sql: bool) -> None:
        self.found: list[Mutant] = []
        self._file, self._tree, self._version, self._sql = file, tree, version, sql
        self._scope: list[str] = []
        self._depth = 0
        self._statement: ast.stmt | None = None

    def visit(self, node: ast.AST) -> None:
        outer = self._statement
        if isinstance(node, ast.stmt):
            self._statement = node
            self._remove(node)
        super().visit(node)
        self._statement = outer

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self.visit(default)
        self._scope.append(node.name)
        self._depth += 1
        for child in node.body:
            self.visit(child)
        self._depth -= 1
        self._scope.pop()

    visit_FunctionDef = _function
    visit_AsyncFunctionDef = _function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._scope.append(node.name)
        for child in node.body:
            self.visit(child)
        self._scope.pop()

    def visit_Assign(self, node: ast.Assign) -> None:
        if not (isinstance(node.targets[0], ast.Name) and node.targets[0].id == "message"):
            self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        pass  # what it says is for people; whether it is raised is a statement

    def visit_Return(self, node: ast.Return) -> None:
        if node.value and not isinstance(node.value, ast.Constant | ast.JoinedStr):
            self._replace(node, "return", ast.Return(ast.Constant(None)))
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        pass

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        pass

    def visit_Call(self, node: ast.Call) -> None:
        name = _name(node)
        if name in WORDS or name.endswith("Error"):
            return
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for i, op in enumerate(node.ops):
            for other in OTHERS[type(op)]:
                operator = "boundary" if {type(op), other} in BOUNDARIES else "comparison"
                self._add(node, operator, lambda new, i=i, other=other: new.ops.__setitem__(i, other()))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        self._add(node, "and/or", lambda new: setattr(new, "op", other()))
        for i in range(len(node.values)):
            neutral = ast.Constant(isinstance(node.op, ast.And))
            self._add(node, "condition", lambda new, i=i, n=neutral: new.values.__setitem__(i, n))
        self.generic_visit(node)

    def _condition(self, node: ast.If | ast.IfExp | ast.While) -> None:
        if not isinstance(node.test, ast.Compare | ast.UnaryOp):
            self._replace(node.test, "negation", ast.UnaryOp(ast.Not(), node.test))
        self.generic_visit(node)

    visit_If = _condition
    visit_IfExp = _condition
    visit_While = _condition

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._replace(test, "condition", ast.Constant(value=True))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._replace(node, "negation", node.operand)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if (other := ARITHMETIC.get(type(node.op))) and not (_is_text(node.left) or _is_text(node.right)):
            self._add(node, "arithmetic", lambda new: setattr(new, "op", other()))
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        for value in node.values:
            if isinstance(value, ast.Constant):
                self._sql_of(value)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._replace(node, "constant", ast.Constant(not value))
        elif isinstance(value, int | float) and value + 1 != value:
            self._replace(node, "constant", ast.Constant(value + 1))
        elif isinstance(value, str):
            self._sql_of(node)

    def _sql_of(self, node: ast.Constant) -> None:
        text = node.value
        is_docstring = isinstance(self._statement, ast.Expr) and self._statement.value is node
        if not self._sql or is_docstring or not mutants_of_sql.LOOKS_LIKE.search(str(text)):
            return
        for operator, before, after, whole in mutants_of_sql.changes(str(text)):
            self._replace(node, operator, ast.Constant(whole), before=before, after=after)

    def _remove(self, node: ast.stmt) -> None:
        call = node.value if isinstance(node, ast.Expr) else None
        if isinstance(call, ast.Call):
            wanted = _name(call) not in WORDS
        elif isinstance(node, ast.Assign):
            wanted = not isinstance(node.targets[0], ast.Name | ast.Tuple)
        else:
            wanted = isinstance(node, ast.Raise | ast.AugAssign | ast.Delete | ast.Continue | ast.Break)
        if wanted:
            self._replace(node, "statement", ast.Pass(), after="pass")

    def _add(self, node: ast.AST, operator: str, change: object) -> None:
        new = copy.deepcopy(node)
        change(new)  # type: ignore[operator]
        self._replace(node, operator, new)

    def _replace(
        self, node: ast.AST, operator: str, new: ast.AST, *, before: str = "", after: str = ""
    ) -> None:
        line, end = self._lines(node)
        self.found.append(
            Mutant(
                self._file,
                line,
                end,
                ".".join(self._scope) or "module",
                operator,
                _flat(before or ast.unparse(node)),
                _flat(after or ("" if before else ast.unparse(new))),
                self._version,
                lambda: _with(self._tree, node, new),
                self._depth > 0,
            )
        )

    def _lines(self, node: ast.AST) -> tuple[int, int]:
        line: int = getattr(node, "lineno", 0) or getattr(self._statement, "lineno", 0)
        end: int = getattr(node, "end_lineno", 0) or line
        return line, end


BOUNDARIES = [{ast.Lt, ast.LtE}, {ast.Gt, ast.GtE}]


def _is_text(node: ast.AST) -> bool:
    """Return whether it is a text: two of them are joined, and a path has one as its next part."""
    if isinstance(node, ast.BinOp):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _flat(text: str) -> str:
    return " ".join(text.split())


def _name(node: ast.Call) -> str:
    return str(getattr(node.func, "id", None) or getattr(node.func, "attr", ""))


def _with(tree: ast.Module, old: ast.AST, new: ast.AST) -> ast.Module:
    """Copy a tree with one node replaced."""
    ast.copy_location(new, old)
    changed = copy.deepcopy(tree, {id(old): new})
    return ast.fix_missing_locations(changed)

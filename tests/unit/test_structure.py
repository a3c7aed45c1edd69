"""The architecture, held by walking the imports. docs/architecture.md prints the same table."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from src.config import ROOT
from tests.support import levels

SOURCES = sorted((ROOT / "src").rglob("*.py"))
OWNERS = {"twitter_manager", "content_generator", "twitter_handler", "db_manager", "config"}
LONGEST_MODULE = 450  # lines

# Which layer may import which others, imports inside functions included. A module may import its own folder.
MAY_IMPORT = {
    "domain": set(),
    "system": {"domain"},
    "config": {"domain", "system"},
    "content": {"domain", "system", "config"},
    "store": {"domain", "system"},
    "x": {"domain", "system", "config"},
    "model": {"domain", "system", "config"},
    "db_manager": {"domain", "system", "store"},
    "twitter_handler": {"domain", "system", "config", "x"},
    "content_generator": {"domain", "system", "config", "content", "model"},
    "feeds": {"domain", "system", "config", "content"},
    "posting": {"domain", "system", "config", "content", "feeds", "db_manager"},
    "watch": {"domain", "system", "config", "content", "x", "db_manager", "posting"},
    "upkeep": {
        "domain",
        "system",
        "config",
        "content",
        "store",
        "x",
        "model",
        "db_manager",
        "content_generator",
        "watch",
    },
    "commands": {
        "domain",
        "system",
        "config",
        "content",
        "x",
        "model",
        "db_manager",
        "twitter_handler",
        "content_generator",
        "feeds",
        "posting",
        "watch",
        "upkeep",
    },
    "twitter_manager": {
        "domain",
        "system",
        "config",
        "x",
        "db_manager",
        "posting",
        "watch",
        "commands.parser",
    },
}
# Imports that break the table, and imports that only some modules may have. It may only shrink: an entry that
# is no longer needed fails.
ALLOWED = {
    ("model.tune", "content"): "its examples are judged by the gates",
    ("posting.run", "twitter_handler"): "inside a function: an idle tick must not pay for tweepy",
    ("twitter_manager", "content_generator"): "inside a function: only a run that writes loads it",
    ("twitter_manager", "commands"): "inside a function: a tick imports no command",
}
HEAVY = {
    "torch",
    "transformers",
    "peft",
    "safetensors",
    "gguf",
    "tokenizers",
    "tweepy",
    "requests",
    "rapidfuzz",
    "tenacity",
    "apprise",
    "huggingface_hub",
    "httpx2",
    "tqdm",
    "jinja2",
    "markupsafe",
    "pygal",
    "prometheus_client",
}
MODEL_LIBRARIES = {"torch", "transformers", "peft", "safetensors", "gguf", "tokenizers", "accelerate"}


def dotted(path):
    """Return the name of a module below `src`: `domain.posts`, and `domain` for its `__init__`."""
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


TEST_TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "tests").rglob("*.py")}
TREES = {dotted(path): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}


def imports(tree, *, top_only):
    """Every module that a tree imports, by its full name; `from a import b` counts as a and as a.b."""
    for node in tree.body if top_only else list(ast.walk(tree)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(tree, *, top_only=False):
    """Return the modules of ours that a tree imports, as keys of TREES."""
    found = {
        name.removeprefix("src.") for name in imports(tree, top_only=top_only) if name.startswith("src.")
    } & set(TREES)
    return {
        name for name in found if not any(other.startswith(name + ".") for other in found)
    }  # a package only where no module of it is meant


def layer(name):
    """Return the folder of a module, or the owner's module itself."""
    return name.partition(".")[0]


def users(module):
    """Return the modules of ours that import a library, anywhere."""
    return {
        name
        for name, tree in TREES.items()
        if any(i == module or i.startswith(module + ".") for i in imports(tree, top_only=False))
    }


def test_every_file_is_looked_at():
    """The walk sees every tracked file of `src`, in a folder of the table or as an owner's module."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    tracked = subprocess.run(
        ["git", "ls-files", "src/*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert {dotted(ROOT / name) for name in tracked} <= set(TREES)
    assert {layer(name) for name in TREES} == set(MAY_IMPORT) | {"__init__"}
    assert {path.stem for path in (ROOT / "src").glob("*.py")} == OWNERS | {"__init__"}


def test_owner_modules_exist():
    """The top level that the owner fixed is there."""
    for name in (
        "src",
        "data",
        "logs",
        "tests",
        "requirements.txt",
        "README.md",
        ".env.example",
        "crontab.example",
    ):
        assert (ROOT / name).exists(), name


def test_direction():
    """Each module imports its own folder and what the table allows; each exception is needed."""
    broken, needed = [], set()
    for name, tree in TREES.items():
        for other in ours(tree):
            mine, its = layer(name), layer(other)
            if its in {mine, "__init__"} or its in MAY_IMPORT[mine] or other in MAY_IMPORT[mine]:
                continue
            exception = next((key for key in ALLOWED if key[0] == name and its == layer(key[1])), None)
            needed.add(exception)
            if exception is None:
                broken.append(f"{name} imports {other}")
    assert not broken
    assert set(ALLOWED) == needed


def test_the_documents_print_the_same_table():
    """docs/architecture.md names for each layer what the table above allows, before any remark behind a semicolon."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = dict(
        re.findall(r"^\| (\w+) \| ([^|]+?) \|$", text.partition("| Layer | May import |")[2], re.MULTILINE)
    )
    for name, allowed in MAY_IMPORT.items():
        printed = set(re.findall(r"[\w.]+", rows[name].partition(";")[0]))
        if name == "commands":  # "every layer except store and twitter_manager"
            assert printed == {"every", "layer", "except", "store", "and", "twitter_manager"}
            assert allowed == set(MAY_IMPORT) - {"store", "twitter_manager", "commands"}
        else:
            assert printed == (allowed or {"nothing", "of", "src"}), name


def test_no_cycles():
    """Imports form no circle, between modules and between folders, those inside functions included."""
    check_acyclic({name: ours(tree) for name, tree in TREES.items()})
    check_acyclic({mine: {layer(item) for item in allowed} for mine, allowed in MAY_IMPORT.items()})


def check_acyclic(graph):
    done: set[str] = set()

    def visit(name, path):
        assert name not in path, [*path, name]
        if name not in done:
            for other in graph.get(name, ()):
                visit(other, [*path, name])
            done.add(name)

    for name in graph:
        visit(name, [])


def test_one_place_for_each_effect():
    """SQL, tweepy, the environment and the model libraries are each used in their own layer only."""
    version = {"system.requirements"}  # only asks for the library's version
    assert {layer(name) for name in users("sqlite3") - version} <= {"db_manager", "store"}
    assert {layer(name) for name in users("tweepy")} <= {"twitter_handler", "x"}
    for library in MODEL_LIBRARIES:
        assert {layer(name) for name in users(library)} <= {"model"}, library
    environ = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    assert environ == {"config"}
    sql = {
        layer(name)
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.match(
            r"\s*(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|PRAGMA|BEGIN IMMEDIATE)\b", node.value
        )
    }
    assert sql <= {"db_manager", "store"}


def test_heavy_libraries_are_imported_inside_functions():
    """Heavy libraries are imported inside functions; tweepy only where X is talked to.

    What talks over HTTP is itself imported inside functions.
    """
    for name, tree in TREES.items():
        heavy = {i.partition(".")[0] for i in imports(tree, top_only=True)} & HEAVY
        allowed = {"tweepy", "requests"} if layer(name) in {"twitter_handler", "x"} else set()
        allowed |= {"requests"} if name == "feeds.fetch" else set()
        assert heavy <= allowed, (name, heavy)


def test_commands_in_messages_are_values():
    """No text names a command of ours: a fix does, with parts that know the profile. Help and docstrings may."""
    names = "|".join(path.stem for path in (ROOT / "src" / "commands").glob("*.py"))
    spelled = re.compile(rf"`(?:{names})\b|python -m src\.twitter_manager ")
    found = []
    for name, tree in TREES.items():
        exempt = {id(node) for node in ast.walk(tree) for node in _help_and_docstrings(node)}
        found += [
            f"{name}:{node.lineno}: {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in exempt
            if spelled.search(node.value)
        ]
    assert not found


def _help_and_docstrings(node):
    """Yield the strings below a node that are docstrings, help of an option, or descriptions of a setting."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
        yield node.body[0].value
    if isinstance(node, ast.keyword) and node.arg in {"help", "description"}:
        yield from (child for child in ast.walk(node.value) if isinstance(child, ast.Constant))


def test_no_module_is_too_long():
    """A module that outgrows one screenful of ideas is split."""
    long = {
        dotted(path): lines
        for path in SOURCES
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_MODULE
    }
    assert not long


def test_every_test_has_a_level():
    """Each file of tests lies in a folder of `levels`, and every level has one."""
    files = {path for path in (ROOT / "tests").rglob("*.py") if path.name.startswith("test_")}
    assert {levels.level(path) for path in files} == levels.LEVELS
    assert all((path.parent / "__init__.py").exists() for path in files)


def test_a_folder_sets_its_mark(request):
    """What was collected has the mark of its folder; marks of folders are never set by hand."""
    for item in request.session.items:
        marks = {mark.name for mark in item.iter_markers()} & levels.MARKED
        assert marks == {levels.mark(item.path)} - {""}, item.nodeid
    assert levels.mark(ROOT / "tests" / "crash" / "test_x.py") == "crash"
    assert levels.mark(ROOT / "tests" / "unit" / "content" / "test_x.py") == ""
    by_hand = re.compile(rf"pytest\.mark\.({'|'.join(levels.MARKED)})\b")
    assert not [path for path in TEST_TREES if by_hand.search(path.read_text(encoding="utf-8"))]


def test_no_test_imports_from_a_test():
    """Tests share by `tests.support`: nothing imports a test or conftest, and `src` imports no tests."""
    levelled = tuple(f"tests.{name}" for name in (*levels.LEVELS, "conftest"))
    broken = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path, tree in TEST_TREES.items()
        for name in imports(tree, top_only=False)
        if name in levelled or name.startswith(tuple(f"{part}." for part in levelled))
    ]
    assert not broken
    assert not users("tests")


def test_unit_tests_start_nothing():
    """A unit test starts no process and no fork, a tick test no program; this file asks git for its files."""
    starts = re.compile(r"\bos\.fork\b|\bsubprocess\b|\bmultiprocessing\b|\.forked\(|\.spawn\(|\.cli\(")
    for path in TEST_TREES:
        if path.name.startswith("test_") and levels.level(path) == "unit" and path != Path(__file__):
            assert not starts.search(path.read_text(encoding="utf-8")), path
        if path.name.startswith("test_") and levels.level(path) == "tick":
            assert not re.search(r"\bsubprocess\b|\.cli\(", path.read_text(encoding="utf-8")), path


def test_every_long_file_is_in_a_share():
    """Each file of tests/crash is run by exactly one share of `make crash-test`."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", "")
    recipes = re.findall(r"^\t\$\(LONG\) (.*)$", makefile, re.MULTILINE)
    shared = sorted(name for recipe in recipes for name in recipe.split())
    assert shared == sorted(
        str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "crash").glob("test_*.py")
    )


@pytest.mark.parametrize("path", SOURCES, ids=dotted)
def test_public_names_are_documented(path):
    """Every module, public class and public function says what it is."""
    tree = TREES[dotted(path)]
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path.name}: {node.name}"


def test_no_secrets_databases_or_weights_in_git():
    """Nothing that must not be published is tracked."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    bad = [
        n
        for n in tracked
        if n == ".env"
        or "credentials.json" in n
        or n.endswith((".db", ".log", ".gguf", ".bin"))
        or (n.endswith(".safetensors") and n != "data/adapter/adapter_model.safetensors")
    ]
    assert not bad
    assert all((ROOT / n).stat().st_size <= 10 * 1024 * 1024 for n in tracked if (ROOT / n).exists())
    for name in tracked:
        if not (ROOT / name).exists():
            continue
        text = (ROOT / name).read_bytes()
        if not name.endswith("attacks.jsonl"):  # made-up keys, to see them refused
            assert not re.search(rb"AAAAAAAA[A-Za-z0-9%]{80,}|-----BEGIN [A-Z ]*PRIVATE KEY", text), name

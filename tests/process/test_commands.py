"""The commands as files: each is found by its file alone, and a tick loads none of them."""

import argparse
import subprocess
import sys

import pytest

from src import config
from src.commands import completion, parser, table
from src.commands.command import Command
from src.config import ROOT

COUNT = """\
\"\"\"`count`: an example.\"\"\"
from src.commands.command import Command, Context
from src.commands.result import Result

def configure(parser):
    parser.add_argument("--loud", action="store_true", help="count loudly")

def run(context):
    return Result({"loud": context.options.loud}, "one two")

COMMAND = Command("count", "count to two", run, configure)
"""


@pytest.fixture
def dropped(tmp_path, monkeypatch):
    """A command whose file was put into the folder of commands, and nothing else changed."""
    folder = tmp_path / "commands"
    folder.mkdir()
    for file in table.FOLDER.glob("*.py"):
        (folder / file.name).symlink_to(file)
    (folder / "count.py").write_text(COUNT)
    monkeypatch.setattr(table, "FOLDER", folder)
    import src.commands

    monkeypatch.setattr(src.commands, "__path__", [str(folder)])
    yield "count"
    sys.modules.pop("src.commands.count", None)


def loaded_by(*arguments):
    """The modules of src.commands that parsing a command line loads, in a process of its own."""
    code = (
        "import sys; from src.commands import parser\n"
        f"try: parser.parse({list(arguments)!r})\nexcept SystemExit: pass\n"
        "print(*sorted(m for m in sys.modules if m.startswith('src.commands.')), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return {name.removeprefix("src.commands.") for name in done.stderr.splitlines()[-1].split()}


@pytest.mark.parametrize("name", table.names())
def test_a_file_is_a_command(name):
    """Each file of the folder that is no part of the machinery has a command of its own name."""
    command = table.find(name)
    assert isinstance(command, Command)
    assert command.name == name
    assert command.help[0].islower()


def test_dropped_command_is_found(dropped, tmp_path, capsys):
    """A file put into the folder is a command: in the help, on the command line, in the completion; nothing else is touched."""
    whole = parser.build_parser()
    assert "count to two" in whole.format_help()
    options = parser.parse(["count", "--loud", "--json"])
    assert (options.command, options.loud, options.json) == ("count", True, True)
    settings = config.load({"DATA_DIR": str(tmp_path)})
    assert table.run(options, settings, None, "") == 0
    assert '"loud": true' in capsys.readouterr().out
    assert "count" in completion.script("bash", settings)
    assert "--loud" in completion.script("bash", settings)


def test_without_the_file_there_is_no_command():
    """The example of the test above is no command of the program."""
    assert "count" not in table.names()
    with pytest.raises(SystemExit, match="2"):
        parser.parse(["count"])


@pytest.mark.parametrize(
    "arguments", [[], ["--json"], ["--profile", "status"], ["-q"], ["-vv"], ["--dry-run"]]
)
def test_a_tick_loads_no_command(arguments):
    """A tick and a dry run are parsed by `parser` and its parts: not even the table is loaded."""
    assert loaded_by(*arguments) == {"parser", "arguments"}


@pytest.mark.parametrize(
    "arguments", [["history", "-n", "3"], ["--json", "history"], ["--profile", "status", "history", "-q"]]
)
def test_a_command_loads_its_own_file(arguments):
    """Of all commands only the one that is typed is loaded."""
    assert loaded_by(*arguments) == {"parser", "arguments", "table", "command", "result", "history"}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["histroy"], ["--jsn"], ["-q", "-v"], ["-n", "3", "history"]]
)
def test_help_and_errors_know_all(arguments):
    """The help and what cannot be read load every command."""
    assert loaded_by(*arguments) >= set(table.names())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report", "--dayz", "3"], "unrecognized arguments: --dayz 3; did you mean '--days'?"),
        (["drafts", "aprove", "3"], "; did you mean 'approve'?"),
        (["completion", "basch"], "; did you mean 'bash'?"),
        (["--jsn"], "; did you mean '--json'?"),
        (["status", "invalid choice: 'statu'"], "unrecognized arguments: invalid choice: 'statu'"),
    ],
)
def test_nearest_word(arguments, words, capsys):
    """The nearest word that would be taken at this place is named; what was typed is never taken for a message."""
    with pytest.raises(SystemExit, match="2"):
        parser.parse(arguments)
    assert words in capsys.readouterr().err


def test_one_command_is_parsed_as_among_all():
    """Loading one command alone changes neither its help nor what it makes of its arguments."""
    for name in table.names():
        alone, all_of_them = parser.build_parser(word=name), parser.build_parser()
        assert commands_of(alone)[name].format_help() == commands_of(all_of_them)[name].format_help()
        assert alone.format_usage() == all_of_them.format_usage()


def commands_of(built):
    """The parsers of the commands of a parser."""
    return next(a.choices for a in built._actions if isinstance(a, argparse._SubParsersAction))

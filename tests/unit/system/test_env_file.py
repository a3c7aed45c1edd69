"""Every line of a `.env` is understood or reported."""

import pytest

from src import config
from src.domain.errors import ConfigError
from src.system.env_file import parse

OPEN = "cannot be read; is a quote not closed?"


@pytest.mark.parametrize(
    ("text", "values", "problems"),
    [
        ("A=1\n# a comment\n\nB = 'two words'\n", {"A": "1", "B": "two words"}, []),
        ('A="true\nB=2\n', {"B": "2"}, [(1, OPEN)]),
        ('\n\nA=1\nB="x" y\nC=3', {"A": "1", "C": "3"}, [(4, OPEN)]),
        ("A='true\nB=2\nC='", {}, [(1, "has a value over several lines; is a quote not closed?")]),
        ('A="true\\nfalse"', {}, [(1, "has a value over several lines; is a quote not closed?")]),
        ("A\n\nB=1", {"B": "1"}, [(1, "has a name without =")]),
        ("A=1\n\n\nB\n", {"A": "1"}, [(4, "has a name without =")]),
        ("=5\nE F=3\nG=7", {"G": "7"}, [(1, OPEN), (2, OPEN)]),
        ("export A=1\r\nB=2\r\n", {"A": "1", "B": "2"}, []),
        ("MODEL=embedded\nMODEL=owner/name\n", {"MODEL": "owner/name"}, []),
        ("A=${B}\nC=$HOME\n", {"A": "${B}", "C": "$HOME"}, []),
        ("", {}, []),
    ],
)
def test_lines(text, values, problems):
    """What is read, and the line and the problem of what is not; the line itself is never repeated."""
    assert parse(text) == (values, problems)


@pytest.mark.parametrize(
    "line", ['REQUIRE_APPROVAL="true', "REQUIRE_APPROVAL='true", "REQUIRE_APPROVAL true"]
)
def test_no_setting_is_dropped(tmp_path, line):
    """A line that cannot be read stops the program with its file and line number, whatever else is there."""
    file = tmp_path / "own.env"
    file.write_text(f"QUIET_HOURS=22:00-07:00\n{line}\n")
    file.chmod(0o600)
    with pytest.raises(ConfigError, match=rf"{file}, line 2: ") as caught:
        config.load({"ENV_FILE": str(file)})
    assert caught.value.exit_code == 78
    assert "true" not in str(caught.value)

"""The account's @name is kept for the account that it belongs to, and only in the form that X gives names."""

import pytest

from src import config
from src.x import account_name


def settings_of(folder, number):
    (folder / "own.env").touch(mode=0o600)
    return config.load(
        {
            "DATA_DIR": str(folder / "data"),
            "LOG_DIR": str(folder / "logs"),
            "ENV_FILE": str(folder / "own.env"),
            "TWITTER_ACCESS_TOKEN": f"{number}-token",
        }
    )


def test_kept_before_the_first_run_and_without_the_number(tmp_path):
    """The folder is made if need be; the file shows no number, because the access token begins with it."""
    settings = settings_of(tmp_path, 123456)
    assert account_name.known(settings) == ""
    account_name.keep(settings, "Ana_Posts")
    assert account_name.known(settings) == "@Ana_Posts"
    file = settings.data_dir / account_name.FILE
    assert "123456" not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_keys_of_another_account_have_another_name(tmp_path):
    """The name of the account before is not shown."""
    account_name.keep(settings_of(tmp_path, 1), "first")
    other = settings_of(tmp_path, 2)
    assert account_name.known(other) == ""
    account_name.keep(other, "second")
    assert account_name.known(other) == "@second"


@pytest.mark.parametrize("name", ["", None, 7, "a b", "a\n", "<b>", "x" * 51, "ä"])
def test_what_is_no_name_is_not_kept(tmp_path, name):
    """X forms names of letters, digits and underscores."""
    settings = settings_of(tmp_path, 1)
    account_name.keep(settings, name)
    assert account_name.known(settings) == ""


@pytest.mark.parametrize("text", ["", "[]", "null", '{"account": 1}', '{"name": "x"}', "\xff"])
def test_a_damaged_file_is_no_name(tmp_path, text):
    """It is asked for again."""
    settings = settings_of(tmp_path, 1)
    account_name.keep(settings, "name")
    (settings.data_dir / account_name.FILE).write_bytes(text.encode("latin-1"))
    assert account_name.known(settings) == ""

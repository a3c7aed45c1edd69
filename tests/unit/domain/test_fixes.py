"""Fixes are values, rendered once for the profile that reads them."""

import json

import pytest

from src.domain.fixes import Fix, command, env_file, line

FIX = Fix("write it into ", env_file(), ", then ", command("drafts list"), " or type: ", line("model update"))


def test_the_default_account():
    """Without a profile commands and the settings file are named as they are."""
    assert FIX.render() == (
        "write it into .env, then `drafts list` or type: python -m src.twitter_manager model update"
    )


def test_a_profile():
    """Every command names the profile, and the settings file is the profile's own."""
    assert FIX.render("anna", "data/profiles/anna/.env") == (
        "write it into data/profiles/anna/.env, then `drafts list --profile anna`"
        " or type: python -m src.twitter_manager --profile anna model update"
    )


def test_the_program_alone():
    """A line without words is the tick itself."""
    assert Fix(line("")).render("a") == "python -m src.twitter_manager --profile a"


def test_stored_and_read_again():
    """What is stored as JSON comes back equal; a text that an older version stored is one part."""
    assert Fix.from_data(json.loads(json.dumps(FIX.as_data()))) == FIX
    assert Fix.from_data("`login` again") == Fix("`login` again")


@pytest.mark.parametrize("data", [None, 3, [3], [{"command": 3}], [{"file": "passwd"}]])
def test_damaged_data(data):
    """Anything else that is stored is refused."""
    with pytest.raises(ValueError, match="of a fix"):
        Fix.from_data(data)


def test_empty():
    """An empty fix is false, and empty parts do not count."""
    assert not Fix()
    assert not Fix("", "")
    assert {Fix("a"): 1}[Fix("a", "")] == 1


def test_equal_fixes():
    """Equal parts are equal fixes; a fix is no text."""
    assert Fix("a", command("b")) == Fix(Fix("a"), command("b"))
    assert Fix("a") != Fix("b")
    assert Fix("a") != "a"
    assert (Fix("a") == ("a",)) is False

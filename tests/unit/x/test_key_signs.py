"""What cannot be part of a key is told without the key."""

import pytest
from pydantic import SecretStr

from src import config
from src.x import key_signs

KEY = "7700000000000000777-AbCdEfGhIjKlMnOp"


def settings(key, name="twitter_access_token"):
    """Settings with one key, as if nothing had been stripped from it."""
    return config.load({}).model_copy(update={name: SecretStr(key)})


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (f'"{KEY}"', ["begins with a straight quote", "ends with a straight quote"]),
        (f"'{KEY}'", ["begins with a straight quote", "ends with a straight quote"]),
        (f"\u201c{KEY}\u201d", ["begins with a curly quote", "ends with a curly quote"]),
        (f"\u2018{KEY}\u2019", ["begins with a curly quote", "ends with a curly quote"]),
        (f"\u201e{KEY}\u201c", ["begins with a curly quote", "ends with a curly quote"]),
        (f"\u00ab{KEY}\u00bb", ["begins with a curly quote", "ends with a curly quote"]),
        (f"`{KEY}`", ["begins with a backquote", "ends with a backquote"]),
        (f"\u200b{KEY}", ["begins with a zero-width space"]),
        (f"{KEY}\u200b", ["ends with a zero-width space"]),
        (f"{KEY[:9]}\u200b{KEY[9:]}", ["has within it a zero-width space"]),
        (f"{KEY[:9]}\n{KEY[9:]}", ["has within it a line break"]),
        (f"{KEY}\r", ["ends with a line break"]),
        (f"{KEY[:9]} {KEY[9:]} x", ["has within it a space"]),
        (f"{KEY}\u00a0", ["ends with a no-break space"]),
        (f"\ufeff{KEY}", ["begins with a byte order mark"]),
        (f"{KEY}\u00ad", ["ends with an invisible character that no key has (U+00AD)"]),
        (f"{KEY}\u2014x", ["has within it a character that no key has (U+2014)"]),
        (f"{KEY}\u0430", ["ends with a character that no key has (U+0430)"]),
        (f"TWITTER_ACCESS_TOKEN={KEY}", ["is a whole line NAME=value, not the value alone"]),
        (f"export TWITTER_ACCESS_TOKEN={KEY}", ["is a whole line NAME=value, not the value alone"]),
        (f'\ufeffapi_key = "{KEY}"', ["is a whole line NAME=value, not the value alone"]),
        (f"access_token: {KEY}", ["is a whole line NAME=value, not the value alone"]),
        (KEY, []),
        ("a+b/c_d-e==", []),
        ("cnryTSC4=Zz", []),
    ],
)
def test_signs(key, said):
    """Each sign is named with its place; a sound key, or one that is not set, is not mentioned."""
    faults = key_signs.faults(settings(key))
    assert faults == [f"TWITTER_ACCESS_TOKEN {words}" for words in said]
    assert not any(part in fault for fault in faults for part in (KEY[:9], KEY[-8:]))


@pytest.mark.parametrize("name", config.FILE_SECRETS)
def test_every_key_is_looked_at(name):
    """Each of the keys is looked at, the client secret too."""
    assert key_signs.faults(settings("a b", name.lower())) == [f"{name} has within it a space"]

"""Settings: every problem at once, each with its fix; secrets masked; `.env` private."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfoNotFoundError

import pytest

from src import config
from src.config import ROOT, SECRETS, Settings, load
from src.domain import quiet_hours
from src.domain.errors import ConfigError, UsageError
from src.model.child import environment

KEYS = {name: f"{name.lower()}-value-1234567890" for name in SECRETS}


@pytest.fixture(autouse=True)
def no_env_file(monkeypatch, tmp_path):
    """The developer's own .env must not leak into tests."""
    monkeypatch.setattr(config, "ROOT", tmp_path)
    return tmp_path


def env_file(folder, text, mode=0o600):
    file = folder / ".env"
    file.write_text(text)
    file.chmod(mode)
    return file


@pytest.mark.parametrize("name", ["DATA_DIR", "LOG_DIR", "MODELS_DIR", "BLOCKLIST_FILE", "SOURCES"])
def test_a_home_that_is_not_known(name):
    """Every setting that is a path names itself when `~` stands for nobody's home."""
    with pytest.raises(ConfigError, match=f"{name}: .*no home folder is known") as caught:
        config.load({name: "~nosuchuser/x"})
    assert caught.value.exit_code == 78


@pytest.mark.parametrize("span", ["22-7", "9:00-17:00", "22:00-24:00", "22:00\u201307:00", "22:00", "-"])
def test_quiet_hours_by_example(span):
    """A span in another form is answered with an example, not with a pattern."""
    with pytest.raises(ConfigError, match="as 22:00-07:00"):
        config.load({"QUIET_HOURS": span})


def test_no_database_of_time_zones(monkeypatch):
    """UTC needs none; any other zone says what is missing."""
    monkeypatch.setattr(quiet_hours, "available_timezones", set)
    monkeypatch.setattr(quiet_hours, "ZoneInfo", missing_zone)
    hours = config.load({"QUIET_HOURS": "22:00-07:00"}).schedule.quiet_span
    assert hours.includes(datetime(2026, 11, 22, 23, tzinfo=UTC))
    with pytest.raises(ConfigError, match="no database of time zones; type: pip install tzdata"):
        config.load({"TIME_ZONE": "Europe/Berlin"})


def missing_zone(name):
    raise ZoneInfoNotFoundError(name)


@pytest.mark.timeout(20)
def test_a_pipe_is_refused_at_once(tmp_path):
    """A named pipe as `.env` is named, and nobody waits for its writer."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ConfigError, match="is not a regular file"):
        config.load({"ENV_FILE": str(tmp_path / "pipe")})


def test_defaults_need_nothing():
    """Without .env and environment the settings are the documented defaults, and the keys are named as missing."""
    settings = load({})
    assert settings.post_interval_minutes == 60
    assert settings.missing_credentials == SECRETS
    assert settings.database.name == "twitter.db"


def test_environment_wins_over_env_file(no_env_file):
    """A variable in the environment beats the same one in .env; unknown variables of the environment are no concern."""
    env_file(no_env_file, "CANDIDATES=3\nHASHTAGS=1\n")
    settings = load({"CANDIDATES": "5", "HOME": "/x", "SOME_OTHER": "1"})
    assert (settings.candidates, settings.hashtags) == (5, 1)


def test_env_file_by_name(tmp_path):
    """ENV_FILE names another file; one that does not exist is a problem, not silence."""
    file = env_file(tmp_path, "CANDIDATES=7\n")
    assert load({"ENV_FILE": str(file)}).candidates == 7
    with pytest.raises(ConfigError, match="does not exist"):
        load({"ENV_FILE": str(tmp_path / "none")})


def test_every_problem_at_once(no_env_file):
    """Unknown names, wrong types and values out of range are listed together, with the nearest name."""
    env_file(no_env_file, "CANDIDATE=3\nLOG_LEVEL=loud\nMAX_POSTS_PER_DAY=0\nPOST_INTERVAL_MINUTES=7\n")
    with pytest.raises(ConfigError) as caught:
        load({"X_API_BASE_URL": "http://example.org", "MODEL_REVISION": "main"})
    said = str(caught.value)
    assert said.startswith("6 problems")
    for words in (
        "did you mean CANDIDATES?",
        "LOG_LEVEL",
        "'DEBUG'",
        "MAX_POSTS_PER_DAY",
        "must divide a day",
        "plain http only",
        "MODEL_REVISION",
    ):
        assert words in said


@pytest.mark.parametrize(
    "url", ["https://api.x.com", "http://127.0.0.1:8765", "http://localhost:1", "http://[::1]:9"]
)
def test_good_addresses(url):
    """https anywhere, plain http to this machine only."""
    assert load({"X_API_BASE_URL": url}).x_api_base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.x.com",
        "ftp://x",
        "https://",
        "https://u@x.com",
        "https://x.com/path",
        "http://127.0.0.1.evil.org",
        "https://x.com/?q=1",
    ],
)
def test_bad_addresses(url):
    """Keys never travel in the clear or to a place with credentials, paths or tricks in its address."""
    with pytest.raises(ConfigError, match="X_API_BASE_URL"):
        load({"X_API_BASE_URL": url})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DAILY_BUDGET_USD", "nan"),
        ("PRICE_POST_USD", "-1"),
        ("READ_TIMEOUT_SECONDS", "inf"),
        ("RECONCILE_DELAYS_SECONDS", "2,nan"),
        ("RECONCILE_DELAYS_SECONDS", "-1"),
        ("RECONCILE_DELAYS_SECONDS", "9999"),
    ],
)
def test_numbers_that_cannot_be(name, value):
    """A budget that nothing exceeds, a pause that cannot be slept: named as the setting's problem, before anything is sent."""
    with pytest.raises(ConfigError, match=name):
        load({name: value})


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666])
@pytest.mark.parametrize(
    "text",
    ["TWITTER_API_KEY=k\n", "HF_TOKEN=hf_x\n", "TWITER_API_KEY=k\n", "CANDIDATES=3\nTWITTER_API_KEY='k\n"],
)
def test_open_env_file_is_refused(no_env_file, mode, text):
    """An .env with a secret, also a misspelt or unreadable one, that others can read is refused with the command to type."""
    file = env_file(no_env_file, text, mode)
    with pytest.raises(ConfigError, match=re.escape(f"chmod 600 {file}")):
        load({})


def test_an_env_file_without_secrets_may_be_read(no_env_file):
    """Others may read an .env that holds no secret, as an editor or `echo >> .env` leaves it; nobody may write it."""
    env_file(no_env_file, "CANDIDATES=3\nTWITTER_API_KEY=\n", 0o644)
    assert load({}).candidates == 3
    file = env_file(no_env_file, "CANDIDATES=3\n", 0o664)
    with pytest.raises(ConfigError, match=re.escape(f"chmod 600 {file}")):
        load({})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_foreign_env_file_is_refused(no_env_file):
    """An .env of another user is refused."""
    file = env_file(no_env_file, "CANDIDATES=3\n")
    os.chown(file, 12345, 0)
    with pytest.raises(ConfigError, match="belongs to another user"):
        load({})


def test_env_file_that_is_no_file(no_env_file):
    """A folder, a socket or bytes that are no text in place of .env are refused, not read."""
    (no_env_file / ".env").mkdir()
    with pytest.raises(ConfigError):
        load({})
    (no_env_file / ".env").rmdir()
    (no_env_file / ".env").write_bytes(b"\xff\xfe")
    (no_env_file / ".env").chmod(0o600)
    with pytest.raises(ConfigError):
        load({})


def test_secret_by_file(tmp_path):
    """NAME_FILE gives a secret by file; a missing file is named, its would-be content is not."""
    file = tmp_path / "key"
    file.write_text("k-123456789012345\n")
    settings = load({"TWITTER_API_KEY_FILE": str(file)})
    assert settings.twitter_api_key.get_secret_value() == "k-123456789012345"
    with pytest.raises(ConfigError, match="TWITTER_API_KEY_FILE"):
        load({"TWITTER_API_KEY_FILE": str(tmp_path / "none")})
    written = env_file(tmp_path, "TWITTER_API_KEY=from-dot-env-0123\n")
    named = load({"ENV_FILE": str(written), "TWITTER_API_KEY_FILE": str(file)})
    assert named.twitter_api_key.get_secret_value() == "k-123456789012345"  # the environment wins over .env


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (os.mkfifo, "it is not a regular file"),
        (Path.mkdir, "Is a directory"),
        (lambda path: path.symlink_to("/dev/zero"), "it is not a regular file"),
        (lambda path: path.write_bytes(b"k" * 10_001), "it has more than 10,000 bytes"),
        (lambda path: path.write_bytes(b"secret\xff"), "it is not text in UTF-8"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    ],
)
def test_what_is_no_file_of_a_secret(tmp_path, make, why):
    """A pipe, a device, a huge file or a wrong encoding is named at once; nothing waits, and nothing is shown."""
    make(tmp_path / "key")
    with pytest.raises(ConfigError) as caught:
        load({"TWITTER_API_KEY_FILE": str(tmp_path / "key")})
    assert f"TWITTER_API_KEY_FILE: {tmp_path / 'key'} cannot be read: {why}" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_huge_env_file(tmp_path):
    """A `.env` larger than any real one is refused before it is read."""
    written = env_file(tmp_path, "")
    os.truncate(written, 10_000_001)
    with pytest.raises(ConfigError, match=r"has 10,000,001 bytes, at most 10,000,000 are read"):
        load({"ENV_FILE": str(written)})


@pytest.mark.parametrize("commit", ["main", "v1.0", "12fd25f", "A" * 40, "0" * 41])
def test_a_revision_is_a_commit(commit):
    """A branch, a tag or a part of a commit is refused in words, with an example and another way."""
    with pytest.raises(ConfigError) as caught:
        load({"MODEL_REVISION": commit})
    expected = f"MODEL_REVISION: {commit!r}: must be a commit of 40 hex digits, as 12fd25f77366fa6b3b4b768ec3050bf629380bac"
    assert expected in str(caught.value)
    assert "pattern" not in str(caught.value)


def test_secrets_mask_themselves():
    """No way of printing settings, or a problem with them, shows a secret."""
    settings = load(KEYS)
    shown = repr(settings) + str(settings) + settings.model_dump_json()
    assert not any(value in shown for value in KEYS.values())
    assert set(settings.secret_values()) == set(KEYS.values())


def test_example_and_settings_agree():
    """.env.example names every setting once, with the default that the program has."""
    text = (ROOT / ".env.example").read_text()
    named = re.findall(r"^#?([A-Z][A-Z0-9_]+)=(.*)$", text, re.MULTILINE)
    documented = {name for name, _ in named}
    assert len(named) == len(documented)
    assert documented == {name.upper() for name in Settings.model_fields} - {"FAILPOINT", "PROFILE"}
    shown = load({name: value for name, value in named if value})
    defaults = load({})
    for field in Settings.model_fields:
        left, right = getattr(shown, field), getattr(defaults, field)
        assert left == right or str(left).endswith(str(right).rpartition("/")[2]), field


def test_env_example_has_no_secret_in_it():
    """The example's keys are empty."""
    text = (ROOT / ".env.example").read_text()
    assert all(f"{name}=\n" in text for name in SECRETS)


def test_child_environment_has_no_credentials(monkeypatch):
    """The model's process sees neither keys nor proxies nor anything it does not need."""
    for name in (*SECRETS, "HTTPS_PROXY", "AWS_SECRET", "PYTHONPATH"):
        monkeypatch.setenv(name, "secret")
    child = environment()
    assert "secret" not in child.values()
    assert child["HF_HUB_OFFLINE"] == "1"
    assert child["OMP_WAIT_POLICY"] == "passive"
    assert "OMP_WAIT_POLICY" not in environment(patient=False)


def test_time_zone_and_quiet_hours():
    """An unknown time zone and a span that is none are named."""
    assert load({"TIME_ZONE": "Europe/Berlin", "QUIET_HOURS": "22:00-07:00"}).time_zone == "Europe/Berlin"
    with pytest.raises(ConfigError, match="IANA"):
        load({"TIME_ZONE": "Mars/Olympus"})
    with pytest.raises(ConfigError, match="QUIET_HOURS"):
        load({"QUIET_HOURS": "25:00-07:00"})


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"POST_INTERVAL_MINUTES": "x"}, "POST_INTERVAL_MINUTES: 'x': must be a whole number"),
        ({"POST_INTERVAL_MINUTES": "1.5"}, "POST_INTERVAL_MINUTES: '1.5': must be a whole number"),
        ({"POST_INTERVAL_MINUTES": "1"}, "POST_INTERVAL_MINUTES: '1': must be at least 5"),
        ({"DAILY_BUDGET_USD": "x"}, "DAILY_BUDGET_USD: 'x': must be a number"),
        ({"REQUIRE_APPROVAL": "maybe"}, "REQUIRE_APPROVAL: 'maybe': must be true or false"),
        ({"TEMPERATURE": "9"}, "TEMPERATURE: '9': must be at most 2"),
        ({"LINKS": "all"}, "LINKS: 'all': must be 'never' or 'own'"),
        ({"RECONCILE_DELAYS_SECONDS": "1,a"}, "RECONCILE_DELAYS_SECONDS: '1,a': must be a number"),
    ],
)
def test_a_wrong_value_in_words(env, says):
    """What may stand there, in the owner's words and not in those of the library that reads it."""
    with pytest.raises(ConfigError, match=re.escape(says)):
        config.load(env)


def test_no_words_of_the_library():
    """No setting of whatever type says anything of input and parsing, for a value that none can be."""
    for name in config.Settings.model_fields:
        for value in ("\x00?", "-1", "1e99", "9" * 5000):
            try:
                config.load({name.upper(): value})
            except ConfigError as error:
                assert "Input should" not in str(error), str(error)[:300]
            except UsageError:
                assert name == "profile"

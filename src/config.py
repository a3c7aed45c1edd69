"""The settings: `.env` and the environment, as one frozen and validated `Settings`.

No other module reads `os.environ`. A profile is one account of several: its folders lie in `profiles/NAME` of
the data folder (with its `.env`) and in `NAME` of the log folder; the models are shared. The environment
takes precedence over `.env`. All problems are reported at once, each with what is allowed and how to fix it;
secrets are masked. `.env` must belong to the user who runs the program, and be closed to others if it holds a
secret.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from src.domain import model_choice, quiet_hours, schedule, times
from src.domain.errors import ConfigError, UsageError
from src.domain.fixes import Fix, env_file
from src.domain.logins import PinLogin, RenewableLogin
from src.domain.model_choice import ModelChoice
from src.domain.schedule import Schedule
from src.domain.slots import require_interval
from src.domain.urls import addresses_in, masked
from src.system import env_file as env_file_reader
from src.system import feed_settings, profiles, setting_types
from src.system.env_file import FILE_SUFFIX
from src.system.feed_settings import FeedSettings
from src.system.files import absolute, existing_folder
from src.system.log_rotation import Rules
from src.system.model_settings import ModelSettings
from src.system.setting_types import (
    BaseUrl,
    Days,
    Seconds,
    Sources,
    Span,
    Times,
    Topics,
    Zone,
)

ROOT = Path(__file__).resolve().parent.parent
SECRETS = ("TWITTER_API_KEY", "TWITTER_API_SECRET", "TWITTER_ACCESS_TOKEN", "TWITTER_ACCESS_TOKEN_SECRET")
FILE_SECRETS = (*SECRETS, "TWITTER_CLIENT_SECRET")


class Settings(FeedSettings, ModelSettings):
    """Everything an owner can set. Field names are the variable names in lower case."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    twitter_api_key: SecretStr | None = Field(None, description="API key (consumer key) of your X app")
    twitter_api_secret: SecretStr | None = Field(None, description="API key secret of your X app")
    twitter_access_token: SecretStr | None = Field(None, description="access token of the posting account")
    twitter_access_token_secret: SecretStr | None = Field(None, description="access token secret")
    twitter_client_id: str = Field(
        "", pattern=r"^[!-~]*$", description="client ID of your X app, for `login --oauth2`"
    )
    twitter_client_secret: SecretStr | None = Field(
        None, description="client secret, if your X app has one (a confidential client)"
    )
    twitter_redirect_uri: str = Field(
        "http://127.0.0.1/callback",
        pattern=r"^https?://[!-~]+$",
        description="callback address of your X app, for `login --oauth2`; nothing needs to listen there",
    )
    x_api_base_url: BaseUrl = Field(
        "https://api.x.com", description="address of the X API; plain http only to loopback"
    )

    data_dir: Path = Field(ROOT / "data", description="folder of the database and the models")
    models_dir: Path = Field(
        ROOT / "data" / "models", description="folder of the models: `models` in DATA_DIR if not set"
    )
    log_dir: Path = Field(ROOT / "logs", description="folder of the log files")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="how much the log files hold"
    )
    log_max_mb: float = Field(
        2, gt=0, le=1000, description="size at which a log file is set aside and a new one begun, MB"
    )
    log_rotate_days: int = Field(7, ge=1, le=366, description="age at which it is set aside, days")
    log_keep_days: int = Field(
        60, ge=1, le=3660, description="days that a log file set aside is kept; at most ten of each are"
    )

    post_times: Times = Field((), description="one tweet at each of these times, as 09:00,13:00,18:00")
    posts_per_day: int = Field(
        0, ge=0, le=100, description="so many tweets a day, spread over the waking hours"
    )
    post_interval_minutes: int = Field(
        60, ge=5, le=1440, description="one tweet in each interval, if neither of the two above is set"
    )
    post_days: Days = Field("", description="only on these days, as mon-fri or sat,sun")
    quiet_hours: Span = Field(
        "",
        description="no posts in this span, as 22:00-07:00 in TIME_ZONE",
    )
    time_zone: Zone = Field("UTC", description="IANA name of the time zone of all times and days")
    require_approval: bool = Field(False, description="post only drafts that a person approved")
    max_posts_per_day: int = Field(
        24, ge=1, le=100, description="most tweets in 24 hours, spread over the day"
    )
    queue_ahead: int = Field(0, ge=0, le=500, description="texts kept written ahead; 0: written when due")
    deadline_seconds: int = Field(480, ge=30, le=3000, description="time one run may take, all told")

    sources: Sources = Field((), description="your own library files or folders, beside the built-in library")
    builtin_library: bool = Field(
        True, description="whether the statements that ship with the program are used"
    )
    cooldown_days: int = Field(30, ge=0, le=3650, description="days before a statement may come back")
    repeat_after_days: int = Field(
        365, ge=0, le=3650, description="days before the same text may be sent again; 0: never"
    )
    blocklist_file: Path | None = Field(None, description="words that must never appear, one a line")
    topics: Topics = Field(
        (), description="only these topics, as Python,SQL; or all but some, as -Accessibility"
    )
    accounts_apart_days: int = Field(
        30,
        ge=0,
        le=365,
        description="days in which no two profiles of this machine post the same statement; 0: none",
    )
    hashtags: int = Field(0, ge=0, le=2, description="most hashtags added from the statement's list")

    connect_timeout_seconds: float = Field(5, gt=0, le=60, description="time to reach X")
    read_timeout_seconds: float = Field(30, gt=0, le=120, description="time to wait for X's answer")
    reconcile_delays_seconds: Seconds = Field(
        (2.0, 10.0, 30.0), description="pauses before looking for a lost tweet"
    )
    retry_wait_seconds: float = Field(
        8, ge=0, le=60, description="longest pause before an unsent text is retried"
    )

    daily_budget_usd: float = Field(1.0, ge=0, description="most to spend on the X API in 24 hours")
    monthly_budget_usd: float = Field(
        20.0, ge=0, description="most to spend on the X API in a calendar month (UTC)"
    )
    price_post_usd: float = Field(0.015, ge=0, description="what X bills for a post")
    price_read_usd: float = Field(0.001, ge=0, description="what X bills for one of your own posts read")

    results_after_days: int = Field(
        0, ge=0, le=365, description="age at which what became of a post is read, once, days; 0: never"
    )

    alert_urls: SecretStr | None = Field(
        None, description="where alerts go: Apprise addresses, comma-separated"
    )
    ping_url: SecretStr | None = Field(
        None, description="dead-man's switch (healthchecks.io style), pinged every run"
    )
    alert_after_failures: int = Field(3, ge=1, le=100, description="failed runs in a row before an alert")
    alert_no_post_hours: int = Field(6, ge=1, le=720, description="hours without a post before an alert")
    alert_low_library_days: int = Field(
        5, ge=0, le=60, description="days that the library still lasts when an alert is due"
    )

    backups_keep: int = Field(7, ge=1, le=366, description="days of backups that `maintain` keeps, one a day")
    candidates_keep_days: int = Field(90, ge=7, le=3660, description="days that rejected openings are kept")
    runs_keep_days: int = Field(400, ge=35, le=3660, description="days that the figures of each run are kept")
    attempts_keep_days: int = Field(
        400, ge=35, le=3660, description="days that X's answers are kept; posts are kept for ever"
    )

    profile: str = Field(
        "", pattern=rf"^({profiles.NAME})?$", description="which account of several, as --profile NAME"
    )
    failpoint: str = Field("", description="for tests only: where to break, see src/system/failpoints.py")

    _login: PinLogin | RenewableLogin | None = PrivateAttr(None)

    @model_validator(mode="before")
    @classmethod
    def _models_beside_data(cls, values: dict[str, Any]) -> dict[str, Any]:
        return (
            {"models_dir": Path(values["data_dir"]) / "models", **values} if "data_dir" in values else values
        )

    @field_validator("post_interval_minutes")
    @classmethod
    def _divides_a_day(cls, value: int) -> int:
        return require_interval(value)

    @field_validator("data_dir", "models_dir", "log_dir", "blocklist_file")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value if value is None else absolute(value, ROOT)

    @property
    def database(self) -> Path:
        """Return the path of the SQLite database."""
        return self.data_dir / "twitter.db"

    @property
    def credentials_file(self) -> Path:
        """Return the path of the file in which `login` keeps its tokens."""
        return self.data_dir / "credentials.json"

    @property
    def model_choice(self) -> ModelChoice:
        """Return the parsed MODEL: the embedded model, a model of the hub, or a folder of the owner's."""
        return model_choice.parse(self.model, self.model_revision, existing_folder(self.model, ROOT))

    @property
    def schedule(self) -> Schedule:
        """Return when posts are wanted: POST_TIMES, POSTS_PER_DAY or POST_INTERVAL_MINUTES."""
        return schedule.schedule_of(
            self.post_interval_minutes,
            self.post_times,
            self.posts_per_day,
            self.post_days,
            self.quiet_hours,
            self.time_zone,
            self.max_posts_per_day,
        )

    def shown(self, moment: datetime) -> str:
        """Return a time for a person, by the clock of TIME_ZONE."""
        return times.shown(moment, quiet_hours.zone_of(self.time_zone))

    @property
    def login(self) -> PinLogin | RenewableLogin | None:
        """Return the tokens of a login, None without one; set by `with_login`."""
        return self._login

    def with_login(self, login: PinLogin | RenewableLogin | None) -> Settings:
        """Return these settings with the tokens of a login in the place of those in `.env`."""
        pair = (SecretStr(login.token), SecretStr(login.token_secret)) if isinstance(login, PinLogin) else ()
        names = ("twitter_access_token", "twitter_access_token_secret")
        settings = self.model_copy(update=dict(zip(names, pair, strict=False)))
        settings._login = login
        return settings

    @property
    def account_id(self) -> str:
        """Return the number of the account that the access token belongs to, empty if the token has none."""
        if isinstance(self._login, RenewableLogin):
            return self._login.user_id
        token = self.twitter_access_token.get_secret_value() if self.twitter_access_token else ""
        number, dash, _ = token.partition("-")
        return number if dash and number.isascii() and number.isdigit() else ""

    @property
    def library_paths(self) -> tuple[Path, ...]:
        """Return the library files and folders to read, the built-in one first."""
        builtin = (ROOT / "data" / "library",) if self.builtin_library else ()
        return (*builtin, *(absolute(Path(s), ROOT) for s in self.sources))

    @property
    def log_rules(self) -> Rules:
        """When log files are set aside and how long they are kept."""
        return Rules(int(self.log_max_mb * 1_000_000), self.log_rotate_days, self.log_keep_days)

    @property
    def missing_credentials(self) -> tuple[str, ...]:
        """Return the names of the credential variables that are not set."""
        if isinstance(self._login, RenewableLogin):
            return () if self.twitter_client_id else ("TWITTER_CLIENT_ID",)
        return tuple(name for name in SECRETS if not getattr(self, name.lower()))

    def secret_values(self) -> tuple[str, ...]:
        """Return the values of all secrets, for the redaction of logs."""
        values = (getattr(self, name) for name in type(self).model_fields)
        found = [v.get_secret_value() for v in values if isinstance(v, SecretStr) and v.get_secret_value()]
        pieces = (piece for secret in found for piece in addresses_in(secret))
        return (*found, *pieces, *(self._login.secrets if self._login else ()))


def load(environ: Mapping[str, str] | None = None, profile: str = "") -> Settings:
    """Read the settings of the default account or of one profile. A `ConfigError` lists every problem.

    `ENV_FILE` names another `.env`. A variable `NAME_FILE` gives a secret by file, as Docker and systemd do.
    """
    environ = os.environ if environ is None else environ
    profile = profile_of(profile, environ)
    known = set(Settings.model_fields)
    problems: list[str] = []
    values = env_file_reader.read(env_path(profile, environ), ROOT, profile, problems, _public())
    if values.pop("PROFILE", ""):
        reason = "cannot be set in .env, which is itself a profile's"
        problems.append(f"PROFILE: {reason}; use --profile NAME or the environment")
    names = {k.upper() for k in known} | {s + FILE_SUFFIX for s in FILE_SECRETS}
    for name in sorted(set(values) - names):
        problems.append(f"{name}: unknown setting in .env{env_file_reader.nearest(name, known)}")
        del values[name]
    for name in FILE_SECRETS:
        if environ.get(name + FILE_SUFFIX):
            values.pop(name, None)  # the environment wins, whichever way it gives the secret
    values.update({name: environ[name] for name in names if name in environ})
    values["PROFILE"] = profile
    for name in FILE_SECRETS:
        env_file_reader.read_secret(name, values, problems)
    settings = _validate({k.lower(): v for k, v in values.items() if v != ""}, problems)
    if settings:
        problems += schedule.contradictions(
            settings.post_times,
            settings.posts_per_day,
            "post_interval_minutes" in settings.model_fields_set,
            settings.quiet_hours,
            settings.max_posts_per_day,
        )
        problems += feed_settings.contradictions(settings)
    if problems or settings is None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        message = f"{count} with the settings:\n" + "\n".join(f"  {p}" for p in problems)
        raise ConfigError(
            message,
            Fix("change them in ", env_file(), " (.env.example explains each) or in the environment"),
        )
    if profile:
        folders = {
            "data_dir": settings.data_dir / "profiles" / profile,
            "log_dir": settings.log_dir / profile,
        }
        return settings.model_copy(update=folders)
    return settings


def as_written(environ: Mapping[str, str] | None = None, profile: str = "") -> tuple[Path, tuple[str, ...]]:
    """Return the log folder and the secrets of invalid settings, as far as they can be read."""
    environ = os.environ if environ is None else environ
    values = dict(environ)
    with contextlib.suppress(ConfigError, UsageError):  # a missing profile has no folder of its own either
        values = {**env_file_reader.read(env_path(profile, environ), ROOT, profile, [], _public()), **environ}
    for name in FILE_SECRETS:
        env_file_reader.read_secret(name, values, [])
    secrets = {values.get(name.upper(), "") for name in Settings.model_fields if _is_secret(name)}
    parts = {piece for secret in secrets for piece in addresses_in(secret)}
    folder = ROOT / "logs"
    with contextlib.suppress(ValueError):
        folder = absolute(Path(values.get("LOG_DIR") or "logs"), ROOT)
    return folder, tuple(filter(None, secrets | parts))


def colour_allowed(environ: Mapping[str, str] | None = None) -> bool:
    """Return whether a terminal may get colours: not with NO_COLOR (no-color.org) or on a dumb one."""
    environ = os.environ if environ is None else environ
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def editor(environ: Mapping[str, str] | None = None) -> str:
    """Return the owner's editor."""
    environ = os.environ if environ is None else environ
    return environ.get("VISUAL") or environ.get("EDITOR") or "vi"


def _is_secret(field_name: str) -> bool:
    return "SecretStr" in str(Settings.model_fields[field_name].annotation)


def _public() -> set[str]:
    """Return the names of the variables whose values are no secrets."""
    return {name.upper() for name in Settings.model_fields if not _is_secret(name)}


def profile_of(option: str, environ: Mapping[str, str] | None = None) -> str:
    """Return the name of the profile, by the option or by `PROFILE`; empty for the default account."""
    return option or (os.environ if environ is None else environ).get("PROFILE", "")


def env_path(profile: str, environ: Mapping[str, str] | None = None) -> Path:
    """Return the `.env` of a profile, or of the default account for an empty name. Raises `UsageError`."""
    environ = os.environ if environ is None else environ
    chosen = environ.get("ENV_FILE")
    if not profile:
        return Path(chosen) if chosen else ROOT / ".env"
    profiles.require_name(profile)
    if chosen:
        message = f"ENV_FILE={chosen} and the profile {profile} each name a .env"
        raise UsageError(message, Fix("unset ENV_FILE: a profile has a ", env_file(), " of its own"))
    return profile_file(profile, environ)


def profile_file(profile: str, environ: Mapping[str, str] | None = None) -> Path:
    """Return the `.env` of a profile; the name is not checked."""
    return profiles.env_file(_store(os.environ if environ is None else environ), profile)


def _store(environ: Mapping[str, str]) -> Path:
    try:
        return absolute(Path(environ.get("DATA_DIR") or "data"), ROOT)
    except ValueError as error:
        message = f"DATA_DIR: {error}"
        raise ConfigError(message, Fix("name the folder without ~")) from error


def from_environment(environ: Mapping[str, str] | None = None) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the settings in the environment that may be shown, and the names of secrets there.

    Cron would have neither.
    """
    environ = os.environ if environ is None else environ
    given = {name.upper() for name in Settings.model_fields} & {
        name for name, value in environ.items() if value
    }
    secret = {name for name in given if _is_secret(name.lower())}
    shown = {name: environ[name] for name in sorted(given - secret - {"PROFILE"})}
    if environ.get("ENV_FILE"):
        shown["ENV_FILE"] = str(Path(environ["ENV_FILE"]).absolute())
    return shown, tuple(sorted(secret))


def _validate(values: dict[str, Any], problems: list[str]) -> Settings | None:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            name = str(item["loc"][0])
            secret = _is_secret(name) if name in Settings.model_fields else True
            shown = "(secret)" if secret else repr(masked(str(values.get(name))))
            problems.append(f"{name.upper()}: {shown}: {setting_types.problem(item)}")
        return None


def inherited_environment() -> dict[str, str]:
    """Return the variables that a child process may inherit: no credentials, no proxy."""
    names = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
    return {"PATH": "/usr/bin:/bin", **{name: os.environ[name] for name in names if name in os.environ}}

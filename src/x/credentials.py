"""The credentials of the account: those in `.env`, and the file of tokens that `login` writes.

An OAuth 2.0 refresh token is good for one renewal, and X may take a second use for theft and end the whole
login. So only the holder of the writer lock writes the file; room for the new tokens is reserved on disk
before X is asked for them; they are on disk before they are used. If the process dies after it wrote a file
whole and before it renamed it, the next run renames it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from src.config import Settings
from src.domain.errors import ConfigError
from src.domain.fixes import Fix, command, env_file
from src.domain.logins import Login, PinLogin, RenewableLogin
from src.system import files
from src.system.failpoints import reach

RENEW_BEFORE = timedelta(minutes=10)
REFRESH_LIFE = timedelta(days=180)  # X does not document it; half a year without use is what people report
WARN_BEFORE = timedelta(days=14)
SCOPES = ("tweet.read", "tweet.write", "users.read", "offline.access")
FIX_LOGIN = Fix("log in again: ", command("login --oauth2"))
_ROOM = 16_384
_LONGEST_TOKEN = 4_096


def applied(settings: Settings) -> Settings:
    """Return the settings with the tokens of the file, if there is one: a login is newer than `.env`.

    Raises `ConfigError` for a file that cannot be used.
    """
    return settings.with_login(load(settings.credentials_file))


def require(settings: Settings) -> None:
    """Raise `ConfigError` that names every credential that is missing."""
    missing = settings.missing_credentials
    if not missing:
        return
    message = f"{', '.join(missing)}: not set"
    if settings.login:
        raise ConfigError(message, Fix("fill it in in ", env_file(), ": the login was made with it"))
    raise ConfigError(
        message,
        Fix(
            "copy .env.example to ",
            env_file(),
            ", chmod 600 ",
            env_file(),
            ", and fill in the four keys of your X app; ",
            command("login"),
            " fetches the access token if you only have the app's two (keys that systemd hands to its service"
            " are not seen from a shell)",
        ),
    )


# ---- the file --------------------------------------------------------------------------------------------


def load(file: Path) -> Login | None:
    """Return the login in the file, None if there is no file.

    Raises `ConfigError` for a file that others can read or change, or that is not whole.
    """
    try:
        return _from_json(json.loads(files.read_private(file)))
    except FileNotFoundError:
        return None
    except ConfigError as error:
        message = f"{file} {error}"
        raise ConfigError(
            message, Fix(error.fix, "; if it is not yours, remove it and ", command("login"), " again")
        ) from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        message = f"{file} cannot be used: {type(error).__name__}"
        raise ConfigError(
            message,
            Fix(
                command("login"),
                " again, or remove it to go on with the keys in ",
                env_file(),
                f": rm {file}",
            ),
        ) from None


def load_for_writing(file: Path) -> Login | None:
    """Return the same with the writer lock held: first finish the file that a dead run had written whole."""
    new = _new(file)
    with contextlib.suppress(ConfigError, OSError):
        written = load(new)
        if written is not None:
            _put_in_place(new, file)
    return load(file)


def reserve(file: Path) -> None:
    """Take room on the disk for new tokens, before X is asked for them. Raises `StorageError`."""
    with files.as_storage_error(
        f"no tokens can be written beside {file}",
        Fix(f"make room and let the program write there: df -h {file.parent}; ls -ld {file.parent}"),
    ):
        files.reserve(_new(file), _ROOM)


def save(file: Path, login: Login) -> None:
    """Write tokens durably in the room from `reserve`; the file before is kept. Raises `StorageError`."""
    new = _new(file)
    with files.as_storage_error(
        f"new tokens cannot be kept in {file}",
        Fix(f"make room (df -h {file.parent}), then log in again: ", command("login")),
    ):
        files.fill(new, json.dumps(_to_json(login), indent=1).encode() + b"\n")
        _put_in_place(new, file)
    reach("tokens.saved")


def release(file: Path) -> None:
    """Free the room that `reserve` made."""
    with contextlib.suppress(OSError):
        _new(file).unlink(missing_ok=True)


def _new(file: Path) -> Path:
    return file.with_name(f"{file.name}.new")


def _put_in_place(new: Path, file: Path) -> None:
    before = file.with_name(f"{file.name}.before")
    with contextlib.suppress(OSError):  # a courtesy for the owner; the program never reads it
        before.unlink(missing_ok=True)
        before.hardlink_to(file)
    files.put_in_place(new, file)


def _to_json(login: Login) -> dict[str, Any]:
    if isinstance(login, PinLogin):
        return {
            "kind": "oauth1",
            "token": login.token,
            "token_secret": login.token_secret,
            "at": login.at.timestamp(),
        }
    return {
        "kind": "oauth2",
        "access": login.access,
        "refresh": login.refresh,
        "expires_at": login.expires_at.timestamp(),
        "issued_at": login.issued_at.timestamp(),
        "user_id": login.user_id,
        "scopes": list(login.scopes),
    }


def _from_json(data: Mapping[str, Any]) -> Login:
    if data["kind"] == "oauth1":
        return PinLogin(checked(data["token"]), checked(data["token_secret"]), _time(data["at"]))
    if data["kind"] != "oauth2":
        raise ValueError
    return RenewableLogin(
        checked(data["access"]),
        checked(data["refresh"]),
        _time(data["expires_at"]),
        _time(data["issued_at"]),
        account_number(data["user_id"]),
        tuple(map(str, data["scopes"])),
    )


def checked(value: object) -> str:
    """Return a token that is safe in a header: printable ASCII without white space. Raises `ValueError`."""
    if not (isinstance(value, str) and value and value.isascii() and len(value) <= _LONGEST_TOKEN):
        raise ValueError
    if not all("!" <= c <= "~" for c in value):
        raise ValueError
    return value


def account_number(value: object) -> str:
    """Return the id of an account, which becomes part of an address: digits only. Raises `ValueError`."""
    if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20):
        raise ValueError
    return value


def _time(value: object) -> datetime:
    return datetime.fromtimestamp(float(value), UTC)  # type: ignore[arg-type]


# ---- rules -----------------------------------------------------------------------------------------------


def described(settings: Settings) -> str:
    """Return which tokens are used: those of a login win over `.env`, and the owner should see that."""
    login = settings.login
    used = f"the access token of the login in {settings.credentials_file} is used"
    if isinstance(login, RenewableLogin):
        used = (
            f"the OAuth 2.0 login in {settings.credentials_file} is used,"
            f" last renewed {settings.shown(login.issued_at)}"
        )
    return f"{used}; access tokens in .env do not count while that file is there"


def renewal_due(login: RenewableLogin, now: datetime, run: timedelta = timedelta(0)) -> bool:
    """Return whether the access token ends within ten minutes, or within `run`.

    It is also due if the clock shows a time before the token was issued: then that clock was wrong once.
    """
    return login.expires_at - now <= max(RENEW_BEFORE, run) or now < login.issued_at - RENEW_BEFORE


def lapses_at(login: Login | None, now: datetime) -> datetime | None:
    """Return when a login ends unless it is renewed (UTC), if that is near; None for OAuth 1.0a."""
    if not isinstance(login, RenewableLogin):
        return None
    end = login.issued_at + REFRESH_LIFE
    return end if end - now <= WARN_BEFORE else None

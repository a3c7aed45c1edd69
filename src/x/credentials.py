"""The file of tokens that `login` writes, `credentials.json` in the data folder, and when its tokens have to be renewed.

An OAuth 2.0 refresh token is good for one renewal, and X may take a second use for theft and end the whole login. So
the file is only written by the holder of the writer lock; room for the new tokens is taken on the disk before X is
asked for them; they are on the disk before they are used. A file that was written whole before the process died, but
not yet put in place, is put in place by the next run.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from src.config import Settings
from src.domain.errors import ConfigError
from src.domain.logins import PinLogin, RenewableLogin
from src.system import files
from src.system.failpoints import reach

Login = PinLogin | RenewableLogin

RENEW_BEFORE = timedelta(minutes=10)
REFRESH_LIFE = timedelta(days=180)  # X does not document it; half a year without use is what people report
WARN_BEFORE = timedelta(days=14)
SCOPES = ("tweet.read", "tweet.write", "users.read", "offline.access")
FIX_LOGIN = "log in again: `login --oauth2`"
_ROOM = 16_384
_LONGEST_TOKEN = 4_096
_LONGEST_LIFE = timedelta(days=366)


def applied(settings: Settings) -> Settings:
    """The settings with the tokens of the file, if there is one: a login is newer than `.env`. Raises `ConfigError`."""
    return settings.with_login(load(settings.credentials_file))


def load(file: Path) -> Login | None:
    """What the file holds, None where there is none. Raises `ConfigError` for one that is open to others or not whole."""
    try:
        return _from_json(json.loads(files.read_private(file)))
    except FileNotFoundError:
        return None
    except ConfigError as error:
        message = f"{file} {error}"
        raise ConfigError(message, f"{error.fix}; if it is not yours, remove it and `login` again") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        message = f"{file} cannot be used: {type(error).__name__}"
        raise ConfigError(
            message, f"`login` again, or remove it to go on with the keys in .env: rm {file}"
        ) from None


def load_for_writing(file: Path) -> Login | None:
    """The same, with the writer lock held: first finish what a run that died had written whole."""
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
        f"make room and let the program write there: df -h {file.parent}; ls -ld {file.parent}",
    ):
        files.reserve(_new(file), _ROOM)


def save(file: Path, login: Login) -> None:
    """Put tokens on the disk for good, in the room taken by `reserve`; the file before is kept. Raises `StorageError`."""
    new = _new(file)
    with files.as_storage_error(
        f"new tokens cannot be kept in {file}",
        f"make room (df -h {file.parent}), then log in again: `login`",
    ):
        files.fill(new, json.dumps(_to_json(login), indent=1).encode() + b"\n")
        _put_in_place(new, file)
    reach("tokens.saved")


def release(file: Path) -> None:
    """Give the room back that `reserve` took."""
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
    """A token that may be put into a header: printable ASCII without white space. Raises `ValueError`."""
    if not (isinstance(value, str) and value and value.isascii() and len(value) <= _LONGEST_TOKEN):
        raise ValueError
    if not all("!" <= c <= "~" for c in value):
        raise ValueError
    return value


def account_number(value: object) -> str:
    """The id of an account, which becomes part of an address: digits only. Raises `ValueError`."""
    if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20):
        raise ValueError
    return value


def _time(value: object) -> datetime:
    return datetime.fromtimestamp(float(value), UTC)  # type: ignore[arg-type]


def described(settings: Settings) -> str:
    """Which tokens are used, in words; those of a login win over `.env`, and that must not be a riddle."""
    login = settings.login
    if isinstance(login, RenewableLogin):
        words = f"the OAuth 2.0 login in {settings.credentials_file} is used, last renewed {login.issued_at:%F %R} UTC"
    else:
        words = f"the access token of the login in {settings.credentials_file} is used"
    return f"{words}; access tokens in .env do not count while that file is there"


# ---- pure rules ------------------------------------------------------------------------------------------------


def from_answer(
    data: Mapping[str, Any] | None, now: datetime, before: RenewableLogin
) -> RenewableLogin | None:
    """The tokens in X's answer to a renewal, None for one that does not hold both."""
    try:
        life = timedelta(seconds=int((data or {})["expires_in"]))
        scopes = str((data or {}).get("scope", "")).split()
        access, refresh = checked((data or {})["access_token"]), checked((data or {})["refresh_token"])
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
    if not timedelta(0) < life < _LONGEST_LIFE:
        return None
    return replace(
        before,
        access=access,
        refresh=refresh,
        expires_at=now + life,
        issued_at=now,
        scopes=tuple(scopes) or before.scopes,
    )


def renewal_due(login: RenewableLogin, now: datetime, run: timedelta = timedelta(0)) -> bool:
    """Whether the access token ends within ten minutes, or within `run`; also when the clock went back behind its issue."""
    return login.expires_at - now <= max(RENEW_BEFORE, run) or now < login.issued_at - RENEW_BEFORE


def lapses_at(login: Login | None, now: datetime) -> datetime | None:
    """When a login ends if nothing renews it, once that is near (UTC). OAuth 1.0a tokens do not expire."""
    if not isinstance(login, RenewableLogin):
        return None
    end = login.issued_at + REFRESH_LIFE
    return end if end - now <= WARN_BEFORE else None

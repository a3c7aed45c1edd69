"""Where profiles have their settings: `profiles/NAME/.env` in the data folder."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from src.domain.errors import ConfigError, UsageError
from src.domain.fixes import Fix

NAME = r"[a-z0-9][a-z0-9_-]{0,31}"


def require_name(profile: str) -> None:
    """Raise `UsageError` for a text that cannot be the name of a profile."""
    if not re.fullmatch(NAME, profile):
        message = f"{profile!r} cannot be the name of a profile"
        raise UsageError(
            message, Fix("use up to 32 small letters, digits, - and _, the first a letter or a digit")
        )


def env_file(data_dir: Path, profile: str) -> Path:
    """Return the `.env` of a profile; the name is not checked."""
    return data_dir / "profiles" / profile / ".env"


def names(data_dir: Path) -> list[str]:
    """Return the names of all profiles: the folders that hold a `.env`."""
    return sorted(file.parent.name for file in (data_dir / "profiles").glob("*/.env"))


def missing(data_dir: Path, profile: str, example: Path) -> ConfigError:
    """Return the error for a profile without a `.env`: a typing error, or a profile still to be made."""
    path = env_file(data_dir, profile)
    close = difflib.get_close_matches(profile, names(data_dir), n=1)
    message = f"there is no profile {profile}: {path} does not exist"
    if close:
        message += f"; did you mean {close[0]}?"
    make = f"mkdir -p -m 700 {path.parent} && install -m 600 {example} {path}"
    return ConfigError(message, Fix(f"type: {make}, then fill in its keys"))

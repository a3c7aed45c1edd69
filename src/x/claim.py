"""Several accounts on one machine: messages name their profile, and each account belongs to one profile."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from src.config import ROOT, Settings, profile_file
from src.domain.errors import ConfigError, StorageError
from src.domain.fixes import Fix, env_file
from src.domain.notes import Note
from src.system import access

MARKS = ".accounts"


def title(profile: str) -> str:
    """Return how a message to a person begins: with the program and the profile."""
    return f"twitter_manager ({profile})" if profile else "twitter_manager"


def fix_text(fix: Fix, profile: str) -> str:
    """Return a fix for the owner of a profile: commands and the settings file are the profile's own."""
    return fix.render(profile, _env_name(profile))


def note_text(note: Note, profile: str) -> str:
    """Return a note as the owner of a profile reads it."""
    return note.render(profile, _env_name(profile))


def _env_name(profile: str) -> str:
    if not profile:
        return ".env"
    try:
        return shown_path(profile_file(profile))
    except ConfigError:  # DATA_DIR itself is what is wrong
        return f"the .env of profile {profile}"


def shown_path(path: Path) -> str:
    """Return a path as a person types it in the program's folder."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def folders(settings: Settings) -> tuple[Path, ...]:
    """Return the folders that this account's runs write to."""
    own = (settings.data_dir, settings.log_dir)
    return (*own, settings.data_dir.parent / MARKS) if settings.profile else own


def require_closed_folders(settings: Settings) -> None:
    """Raise `ConfigError` where everybody may write to a folder of the account's. Missing folders pass."""
    outer = (settings.data_dir.parent.parent, settings.data_dir.parent, settings.log_dir.parent)
    for folder in (*folders(settings), *(outer if settings.profile else ())):
        access.require_closed(folder)


def claim_account(settings: Settings) -> None:
    """Hold the account for this profile, for good. Raises `ConfigError` if another profile holds it.

    Two databases that post to one account do not know of each other, so each would post in every slot. The
    mark is a link to the profile's folder: making one is atomic, and the link of a deleted profile points to
    nothing. Its name is a hash of the account's number, because the access token begins with that number and
    must not be shown.
    """
    home = settings.data_dir
    profiles = home.parent if settings.profile else home / "profiles"
    if not settings.account_id or not profiles.is_dir():
        return
    mark = profiles / MARKS / hashlib.sha256(settings.account_id.encode()).hexdigest()[:16]
    if mark.is_symlink() and not mark.exists():
        _replace(mark, home)
    try:
        mark.parent.mkdir(mode=0o700, exist_ok=True)
        mark.symlink_to(os.path.relpath(home, mark.parent))
    except FileExistsError:
        _refuse_other(mark, home)
    except OSError as error:
        message = f"cannot make {mark}: {error.strerror}"
        raise StorageError(message, Fix(f"make the folder writable: chmod u+wx {profiles}")) from error


def _replace(mark: Path, home: Path) -> None:
    new = mark.with_name(f".{mark.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    new.symlink_to(os.path.relpath(home, mark.parent))
    new.replace(mark)


def _refuse_other(mark: Path, home: Path) -> None:
    holder = mark.resolve()
    if holder == home.resolve():
        return
    name = (
        f"profile {holder.name}"
        if holder.parent == mark.parent.parent.resolve()
        else "the account without a profile"
    )
    message = f"{name} already posts to the account of these keys"
    raise ConfigError(
        message,
        Fix(
            "put the keys of another account into ",
            env_file(),
            f"; if this profile takes the other's place, type: rm {shown_path(mark)}",
        ),
    )

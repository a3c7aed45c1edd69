"""Folders that others may write to, and files that this user may not."""

import os
from types import SimpleNamespace

import pytest

from src.domain.errors import ConfigError, StorageError
from src.system import access


@pytest.mark.parametrize(
    ("mode", "refused"),
    [
        (0o700, False),
        (0o755, False),
        (0o775, False),  # umask 002: a group of one
        (0o1777, False),  # as /tmp: only the owner of a file replaces it
        (0o777, True),
        (0o702, True),
        (0o707, True),
        (0o2777, True),
    ],
)
def test_open_to_everybody(tmp_path, mode, refused):
    """A folder in which everybody may replace files is refused with the command that closes it."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    folder.chmod(mode)
    if not refused:
        access.require_closed(folder)
        return
    with pytest.raises(ConfigError, match=f"everybody may write to .*{mode:04o}") as caught:
        access.require_closed(folder)
    assert f"chmod o-w '{folder}'" in caught.value.fix.render()


def test_a_link_counts_as_its_folder(tmp_path):
    """A link to an open folder is refused, a missing folder is nobody's."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    with pytest.raises(ConfigError):
        access.require_closed(tmp_path / "link")
    access.require_closed(tmp_path / "none")


@pytest.mark.parametrize(
    ("gid", "mode", "refused"),
    [
        (4242, 0o770, True),
        (4242, 0o750, False),
        (os.getegid(), 0o770, False),
        (77, 0o770, False),
        (88, 0o770, False),
    ],
)
def test_another_group(monkeypatch, tmp_path, gid, mode, refused):
    """A group may write only if it is ours, one of ours (a volume's), or the folder's owner's own."""
    monkeypatch.setattr(os, "getgroups", lambda: [77])
    monkeypatch.setattr(access.pwd, "getpwuid", lambda uid: SimpleNamespace(pw_gid=88, pw_name=str(uid)))
    status = SimpleNamespace(st_mode=0o40000 | mode, st_gid=gid, st_uid=1)
    monkeypatch.setattr(access, "_status", lambda _: status)
    if not refused:
        access.require_own_group(tmp_path)
        return
    with pytest.raises(ConfigError, match="another group .gid 4242.") as caught:
        access.require_own_group(tmp_path)
    assert f"chmod g-w {tmp_path}" in caught.value.fix.render()


def status_of(mode, uid):
    return SimpleNamespace(st_mode=mode, st_uid=uid)


@pytest.mark.parametrize(
    ("user", "owner", "mode", "fix"),
    [
        (1000, 1000, 0o100400, "chmod u+rw"),
        (1000, 1000, 0o040500, "chmod u+rwx"),
        (1000, 1000, 0o100600, "findmnt -T"),  # its bits allow it: the disk does not
        (0, 1000, 0o100600, "findmnt -T"),
        (1000, 0, 0o100600, "sudo chown -R 1000"),
        (1000, 0, 0o100644, "sudo chown -R 1000"),
    ],
)
def test_a_path_that_cannot_be_written(monkeypatch, tmp_path, user, owner, mode, fix):
    """The fix is that of its cause: the bits, the disk, or another owner."""
    monkeypatch.setattr(os, "access", lambda path, _: path.name == "good")
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(access, "_name", str)
    bad, statuses = tmp_path / "bad", {"good": status_of(0o100600, user), "bad": status_of(mode, owner)}
    monkeypatch.setattr(access, "_status", lambda path: statuses.get(path.name))
    access.require_usable([tmp_path / "good", tmp_path / "none"], [tmp_path])
    with pytest.raises(StorageError, match=f"{bad} .*cannot be written") as caught:
        access.require_usable([tmp_path / "good", bad], [tmp_path, tmp_path / "none"])
    assert f"{fix} {tmp_path if 'chown' in fix else bad}" in caught.value.fix.render()

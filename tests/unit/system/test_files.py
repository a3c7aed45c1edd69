"""Files: written whole or not at all, never through a link, private, with room taken in advance."""

import errno
import os
import re
import stat

import pytest

from src.domain.errors import ConfigError, StorageError
from src.system import files
from src.upkeep.maintenance import _TEMPORARY


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def no_room(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("wanted", [0o600, 0o644])
def test_the_file_is_replaced(tmp_path, wanted):
    """The new text, the mode asked for, and no other file beside it."""
    path = tmp_path / "numbers"
    path.write_text("old")
    files.write_atomically(path, "new", wanted)
    assert (path.read_text(), mode(path), names(tmp_path)) == ("new", wanted, ["numbers"])


def test_a_link_in_the_place_of_the_file_is_replaced(tmp_path):
    """The file that a link points to stays as it is."""
    path, other = tmp_path / "numbers", tmp_path / "other"
    other.write_text("theirs")
    path.symlink_to(other)
    files.write_atomically(path, "ours")
    assert (path.read_text(), other.read_text(), path.is_symlink()) == ("ours", "theirs", False)


def test_a_pipe_or_device_is_not_replaced(tmp_path):
    """What is there and is no file, as `/dev/full` that somebody names, stays; nothing is left beside it."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        files.write_atomically(tmp_path / "pipe", "text")
    (tmp_path / "new").write_text("text")
    with pytest.raises(OSError, match="no regular file"):
        files.put_in_place(tmp_path / "new", tmp_path / "pipe")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert {p.name for p in tmp_path.iterdir()} == {"pipe", "new"}


def test_a_planted_link_is_not_followed(tmp_path, monkeypatch):
    """Somebody who guessed the temporary name and put a link there gets no file overwritten, and an error is raised."""
    path, other = tmp_path / "numbers", tmp_path / "other"
    other.write_text("theirs")
    monkeypatch.setattr(files.secrets, "randbits", lambda _bits: 4)
    (tmp_path / ".numbers.4").symlink_to(other)
    with pytest.raises(FileExistsError):
        files.write_atomically(path, "ours")
    assert (other.read_text(), path.exists()) == ("theirs", False)


def test_the_temporary_name_cannot_be_guessed_and_is_swept(tmp_path):
    """Two names differ in many digits, and `maintain` knows them as unfinished files."""
    first, second = (files.unfinished(tmp_path / "numbers").name for _ in range(2))
    assert first != second
    assert len(first) > len(".numbers.") + 10
    assert _TEMPORARY.fullmatch(first)
    assert _TEMPORARY.fullmatch(first + "-journal")


@pytest.mark.parametrize("call", ["fsync", "fchmod", "replace"])
def test_old_content_survives_a_failure(tmp_path, monkeypatch, call):
    """Whatever fails before the rename is done, the old file stays and nothing is left over."""
    path = tmp_path / "numbers"
    path.write_text("old")
    with monkeypatch.context() as broken:
        broken.setattr(*((files.Path, "replace") if call == "replace" else (files.os, call)), no_room)
        with pytest.raises(OSError, match="No space"):
            files.write_atomically(path, "new")
    assert (path.read_text(), names(tmp_path)) == ("old", ["numbers"])


def test_old_content_survives_an_interrupted_block(tmp_path):
    """A block that writes half and fails leaves the old file."""
    path = tmp_path / "numbers"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), files.replacing(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert (path.read_text(), names(tmp_path)) == ("old", ["numbers"])


def test_the_order_of_the_calls(tmp_path, monkeypatch):
    """Contents are synced before the rename, the folder after it."""
    done, fsync, replace = [], os.fsync, files.Path.replace
    monkeypatch.setattr(
        files.os,
        "fsync",
        lambda fd: (done.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file"), fsync(fd)),
    )
    monkeypatch.setattr(files.Path, "replace", lambda new, path: (done.append("rename"), replace(new, path)))
    files.write_atomically(tmp_path / "numbers", "new")
    assert done == ["file", "rename", "folder"]


def test_an_empty_private_file(tmp_path):
    """It is made once, with its folder, both closed to others; a link is not followed."""
    path = tmp_path / "data" / "twitter.db"
    assert files.create_private(path)
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert not files.create_private(path)
    path.unlink()
    path.symlink_to(tmp_path / "other")
    assert not files.create_private(path)
    assert not (tmp_path / "other").exists()
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot make"):
        files.create_private(tmp_path / "file" / "twitter.db")


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602])
def test_a_file_open_to_others_is_not_read(tmp_path, bits):
    """Neither one that others can read nor one that they can write."""
    path = tmp_path / "secret"
    path.write_text("key")
    path.chmod(0o600)
    assert files.read_private(path) == "key"
    path.chmod(bits)
    with pytest.raises(ConfigError, match="by others") as caught:
        files.read_private(path)
    assert caught.value.fix.render() == f"type: chmod 600 {path}"


def test_a_file_of_another_user_is_not_read(tmp_path, monkeypatch):
    """The owner is told how to take it over."""
    path = tmp_path / "secret"
    path.write_text("key")
    path.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:
        monkeypatch.setattr(files.os, "geteuid", lambda: 12345)
    with pytest.raises(ConfigError, match=re.escape("belongs to another user")):
        files.read_private(path)


def test_room_is_taken_and_filled(tmp_path):
    """Room is on the disk before it is used; what is written takes the rest away."""
    path = tmp_path / "data" / "tokens.new"
    files.reserve(path, 1000)
    assert (path.stat().st_size, mode(path)) == (1000, 0o600)
    files.fill(path, b"tokens")
    assert path.read_bytes() == b"tokens"


def test_no_room_leaves_nothing(tmp_path, monkeypatch):
    """A full disk raises, and the file is removed."""
    with monkeypatch.context() as broken:
        broken.setattr(files.os, "fsync", no_room)
        with pytest.raises(OSError, match="No space"):
            files.reserve(tmp_path / "tokens.new", 1000)
    with monkeypatch.context() as broken:
        broken.setattr(files.os, "write", lambda _descriptor, data: len(data) - 1)
        with pytest.raises(OSError, match="No space"):
            files.reserve(tmp_path / "tokens.new", 1000)
    assert names(tmp_path) == []


def test_a_planted_link_is_not_filled(tmp_path):
    """A link in the place of the room is replaced by `reserve` and refused by `fill`."""
    path, other = tmp_path / "tokens.new", tmp_path / "other"
    other.write_text("theirs")
    path.symlink_to(other)
    with pytest.raises(OSError, match=re.escape(os.strerror(errno.ELOOP))):
        files.fill(path, b"tokens")
    files.reserve(path, 10)
    assert (other.read_text(), path.is_symlink()) == ("theirs", False)

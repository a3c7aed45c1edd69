"""A disk as the log of a run's system calls leaves it when the power goes."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.support.scenarios import Stage, Tally, heal, quiet_tick
from tests.support.syscalls import CALL, fresh, traced


@dataclass
class File:
    """What a disk would have of a file: what was synced, and the writes since, which may be missing."""

    durable: bytes = b""
    writes: list[tuple[int, bytes]] = field(default_factory=list)

    def apply(self, chosen: list[tuple[int, bytes]]) -> bytes:
        data = bytearray(self.durable)
        for offset, piece in chosen:
            if offset > len(data):
                data += bytes(offset - len(data))
            data[offset : offset + len(piece)] = piece
        return bytes(data)

    def sync(self) -> None:
        self.durable, self.writes = self.apply(self.writes), []


@dataclass
class Disk:
    """A folder as system calls leave it. Names reach the disk by a sync of the folder, or by luck."""

    names: dict[str, File]
    durable_names: dict[str, File] = field(default_factory=dict)
    name_changes: list[tuple[str, File | None]] = field(default_factory=list)
    offsets: dict[str, int] = field(default_factory=dict)

    def change_name(self, name: str, file: File | None) -> None:
        if file is None:
            self.names.pop(name, None)
        else:
            self.names[name] = file
        self.name_changes.append((name, file))

    def sync_folder(self) -> None:
        self.durable_names, self.name_changes = dict(self.names), []

    def survive(self, rng: random.Random, pattern: int) -> dict[str, bytes]:
        """One way the power loss may leave the folder: {name: bytes}."""
        names = dict(self.durable_names)
        kept = {0: 0, 1: len(self.name_changes)}.get(pattern, rng.randint(0, len(self.name_changes)))
        for name, file in self.name_changes[:kept]:
            if file is None:
                names.pop(name, None)
            else:
                names[name] = file
        return {name: file.apply(self._chosen(file, rng, pattern)) for name, file in names.items()}

    def _chosen(self, file: File, rng: random.Random, pattern: int) -> list[tuple[int, bytes]]:
        if pattern == 0:
            return []
        if pattern == 1:
            return file.writes
        if pattern % 3 == 0:
            return file.writes[: rng.randint(0, len(file.writes))]
        if pattern % 3 == 1:
            return [w for w in file.writes if rng.random() < 0.5]
        pieces = [(o + i, d[i : i + 512]) for o, d in file.writes for i in range(0, len(d), 512)]
        return [p for p in pieces if rng.random() < 0.6]


TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def replay(log: Path, folder: Path, start: dict[str, bytes]) -> Iterator[tuple[Disk, bool]]:
    """Yield (disk, whether the post had left, whether the answer was there) after each change."""
    disk = Disk({name: File(data) for name, data in start.items()})
    disk.sync_folder()
    sent = False
    for line in log.read_text(encoding="utf-8").splitlines():
        match = CALL.match(line)
        if not match or " = -1 " in line:
            continue
        name, words = match.groups()
        if (
            name in {"sendto", "write"}
            and "TCP:" in words
            and b"POST /2/tweets" in unhex("".join(TEXT.findall(words)[:1]))
        ):
            sent = True
            yield disk, sent
            continue
        strings = [unhex(t) for t in TEXT.findall(words)]
        on = re.match(r"\d+<([^>]*)>", words)
        path = (
            Path(re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), on[1]))
            if on
            else Path(os.fsdecode(strings[0]))
            if strings
            else None
        )
        if path is None or (path.parent != folder and path != folder):
            continue
        if name == "openat":
            if "O_CREAT" in words and path.name not in disk.names:
                disk.change_name(path.name, File())
            if "O_TRUNC" in words:
                disk.names[path.name].durable, disk.names[path.name].writes = b"", []
        elif name == "pwrite64":
            (offset,) = map(int, re.findall(r", (\d+)\) += ", words))
            disk.names[path.name].writes.append((offset, strings[0]))
        elif name in {"fsync", "fdatasync"}:
            disk.sync_folder() if path == folder else disk.names[path.name].sync()
        elif name == "unlink":
            disk.change_name(path.name, None)
        else:
            continue
        yield disk, sent


def lose_power(stage: Stage, tally: Tally, patterns: int, every: int, *, warm: bool) -> None:
    """Record one run's calls; after each of them cut the power in several ways; heal; judge."""
    for post in ("ok", "lost answer"):
        world = fresh(stage, post, warm=warm)
        data = world.database.parent
        data.mkdir(exist_ok=True, mode=0o700)
        start = {p.name: p.read_bytes() for p in data.iterdir() if p.is_file()}
        log = world.folder / "power.log"
        assert (
            traced(
                stage,
                "-y",
                "-xx",
                "-s",
                "10000000",
                "-o",
                str(log),
                "-e",
                "trace=openat,pwrite64,write,fsync,fdatasync,unlink,ftruncate,rename,sendto",
            )
            == 0
        )
        made = [t for t in world.x.accepted if t.via == "api"][1 if warm else 0 :]
        assert len(made) == 1
        for step, (disk, sent) in enumerate(replay(log, data, start)):
            if step % every:
                continue
            for pattern in range(patterns):
                image = disk.survive(random.Random(step * 1000 + pattern), pattern)
                fresh(stage, "ok", warm=warm)
                world.x._faults["POST"].clear()
                shutil.rmtree(data, ignore_errors=True)
                data.mkdir(mode=0o700)
                for name, content in image.items():
                    (data / name).write_bytes(content)
                if sent:
                    world.x.accepted.append(replace(made[0]))
                    world.x._last_id = made[0].id
                verdict = heal(stage, quiet_tick)
                tally.add(verdict)
                tally.other["set aside"] += bool(list(data.glob("*.damaged-*")))
                assert not (verdict.doubled or verdict.unrecorded or verdict.stuck), (
                    post,
                    step,
                    pattern,
                    sent,
                    verdict,
                    world.statuses(),
                )
        last = {p.name: file.apply(file.writes) for p, file in ((Path(n), f) for n, f in disk.names.items())}
        with contextlib.suppress(KeyError):
            assert last["twitter.db"][:16] == b"SQLite format 3\0"

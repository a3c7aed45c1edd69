"""`make bench`: speed and memory as whole processes, side by side in one run; the table goes into docs/evidence.md.

Medians of RUNS runs. These machines are shared: read ratios, not seconds.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from src import db_manager
from src.config import ROOT
from src.content.gates import NEAR_DUPLICATE, nearest, normal_words
from src.domain.answers import Outcome, SendResult
from src.domain.slots import slot_name
from src.domain.texts import Draft
from src.model import choose
from src.model.convert import packaged_gguf
from src.model.llama import Llama
from tests.fake_x import FakeX
from tests.support.measured import Measured, measure
from tests.support.world import World

DRAFTS = 100
RUNS = int(os.environ.get("BENCH_RUNS", "5"))


def interleaved(
    commands: dict[str, tuple[list[str], dict[str, str]]], runs: int = RUNS
) -> dict[str, tuple[float, float, str]]:
    """Medians of wall and memory for commands run in turn (A B A B ...) after one warm-up each."""
    found: dict[str, list[Measured]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, (command, env) in commands.items():
            result = measure(command, env)
            if number:
                found[name].append(result)
    return {
        name: (
            statistics.median(r.wall for r in rows),
            statistics.median(r.peak_mb for r in rows),
            rows[-1].output,
        )
        for name, rows in found.items()
    }


def processes(folder: Path) -> list[tuple[str, str]]:
    python = [sys.executable]
    rows = []
    with FakeX() as x:
        world = World(folder, x, None, extra={"POST_INTERVAL_MINUTES": "1440"})
        bare = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
        env = {**bare, **world.env}
        measure([*python, "-m", "src.twitter_manager"], {**env, "CANDIDATES": "0"})
        dry = {
            **bare,
            "DATA_DIR": str(folder / "dry"),
            "LOG_DIR": str(folder / "dry-logs"),
            "CANDIDATES": "16",
        }
        (folder / "dry").mkdir()
        (folder / "dry" / "models").symlink_to(ROOT / "data" / "models")
        small = interleaved(
            {
                "pass": ([*python, "-c", "pass"], bare),
                "imports": ([*python, "-c", "import sqlite3, tweepy"], bare),
                "idle": ([*python, "-m", "src.twitter_manager"], env),
            },
            runs=max(RUNS, 9),
        )
        for name, words in (
            ("pass", "`python -c pass`"),
            ("imports", '`python -c "import sqlite3, tweepy"`'),
            ("idle", "**a tick with nothing due**"),
        ):
            rows.append((words, f"{small[name][0]:.2f} s, {small[name][1]:.0f} MB"))
        commands = {
            "dry": ([*python, "-m", "src.twitter_manager", "--dry-run", "--json"], dry),
            "plain": (
                [*python, str(ROOT / "tests" / "support" / "plain_script.py"), str(packaged_gguf())],
                {**bare, "HF_HUB_OFFLINE": "1"},
            ),
        }
        if importlib.util.find_spec("llama_cpp"):
            commands["llama"] = (
                [
                    *python,
                    str(ROOT / "tests" / "support" / "llama_cpp_script.py"),
                    str(packaged_gguf()),
                ],
                bare,
            )
        big = interleaved(commands)
        batch, _, _, out = measure(
            [*python, "-m", "src.twitter_manager", "drafts", "generate", "-n", str(DRAFTS), "--json"], dry
        )
    metrics = json.loads(big["dry"][2])["metrics"]
    rows.append(
        (
            "**a dry run from cold, 16 judged candidates**",
            f"{big['dry'][0]:.2f} s; model process {metrics['model_peak_mb']:.0f} MB, program {metrics['program_peak_mb']:.0f} MB",
        )
    )
    rows.append(
        (
            "the plain transformers-GGUF script, 1 text",
            f"{big['plain'][0]:.2f} s, {big['plain'][1]:.0f} MB ({big['plain'][0] / big['dry'][0]:.1f} times the dry run)",
        )
    )
    made = json.loads(out)["drafts"]
    rows.append(
        (
            f"`drafts generate -n {DRAFTS}`, one run",
            f"{len(made) / batch * 60:.0f} texts a minute, {sum(d['origin'] == 'model' for d in made)} of {len(made)} led by the model's own opening",
        )
    )
    if "llama" in big:
        rows.append(
            ("llama.cpp on the same GGUF, 16 texts", f"{big['llama'][0]:.2f} s, {big['llama'][1]:.0f} MB")
        )
    else:
        rows.append(("llama.cpp on the same GGUF", "not installed here"))
    return rows


def decoding() -> list[tuple[str, str]]:
    """Tokens a second, and the share of what this machine's memory bandwidth and arithmetic allow for such a step."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    folder = choose.active_folder(ROOT / "data" / "models")
    model = Llama(folder)
    weights = [w for name, w in model._w.items() if w.dim() == 2 and "embed" not in name] + [
        model._w[model._head]
    ]
    size = sum(w.numel() * w.element_size() for w in weights)
    flat = torch.ones(size // 4, dtype=torch.float32)
    bandwidth = size / best_of(flat.sum, 7)
    a, b = torch.randn(1024, 1024).bfloat16(), torch.randn(1024, 1024).bfloat16()
    arithmetic = 2 * 1024**3 / best_of(lambda: a @ b, 15)
    rows = [
        (
            "memory bandwidth and bfloat16 arithmetic of this machine",
            f"{bandwidth / 1e9:.1f} GB/s, {arithmetic / 1e9:.0f} GFLOP/s",
        )
    ]
    with torch.inference_mode():
        past = model.new_cache(160)
        model.forward(torch.randint(5, 40000, (1, 60)), past)
        for batch in (1, 16, 32):
            tokens = torch.randint(5, 40000, (batch, 1))

            def step() -> None:
                cache.length = 60
                model.forward(tokens, cache)

            cache = past.repeat(batch)
            seconds = best_of(step, 15, middle=True)
            bound = max(size / bandwidth, 2 * batch * sum(w.numel() for w in weights) / arithmetic)
            rows.append(
                (
                    f"decoding, batch {batch}",
                    f"{batch / seconds:.0f} tokens/s, {bound / seconds:.0%} of the bound",
                )
            )
    return rows


def best_of(call, times: int, *, middle: bool = False) -> float:
    call()
    found = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        found.append(time.perf_counter() - started)
    return statistics.median(found) if middle else min(found)


def first_start(folder: Path) -> list[tuple[str, str]]:
    code = f"from pathlib import Path; from src.model.convert import install_embedded; install_embedded(Path({str(folder / 'models')!r}))"
    script = f"import resource; {code}; print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    wall, _, _, out = measure(
        [sys.executable, "-c", script], {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    )
    return [("first start: converting the embedded model, once", f"{wall:.1f} s, {int(out)} MB")]


def growth(folder: Path) -> list[tuple[str, str]]:
    """Database work of one tick (due?, claim, intent, settle) on top of so many past posts, and the novelty check."""
    rows = []
    for count in (10**3, 10**4, 10**5, 10**6):
        path = folder / f"grown-{count}.db"
        now = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)
        fill(path, count, now)
        db = db_manager.open_database(path, now)
        took = []
        for number in range(RUNS + 1):
            at = now + timedelta(hours=number)
            started = time.perf_counter()
            slot = slot_name(at)
            db.recover(slot)
            db.archive.usage(slot, at)
            db.archive.is_known_text(f"new {number}", now - timedelta(days=365))
            post = db.claim(Draft(f"new {number}", "wording", f"s{number}", "T"), slot, at)
            attempt = db.begin_send(post, "r", at)
            db.settle(post, attempt, SendResult(Outcome.POSTED, tweet_id=10**18 + number), at)
            took.append(time.perf_counter() - started)
        rows.append(
            (f"database work of a tick, {count:,} past posts", f"{statistics.median(took[1:]) * 1000:.1f} ms")
        )
        db.close()
        path.unlink()
    texts = [
        f"statement {n} about {n * 7919 % 10007} and topic {n % 13} says things of size {n % 997}"
        for n in range(10**5)
    ]
    normal = [normal_words(text) for text in texts]
    fresh = normal_words("an altogether fresh sentence about indexes and how they are read")
    seconds = best_of(lambda: nearest(fresh, normal, NEAR_DUPLICATE), 9, middle=True)
    rows.append(("near-duplicate check against 100,000 past posts", f"{seconds * 1000:.0f} ms"))
    return rows


def fill(path: Path, count: int, now: datetime) -> None:
    db_manager.open_database(path, now).close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA synchronous=0")
        start = now.timestamp() - 3600 * (count + 1)
        db.executemany(
            "INSERT INTO posts(content, status, origin, slot, fingerprint, tweet_id, sent_at, created_at, source_id, topic, attempts) VALUES (?, 'posted', 'wording', ?, ?, ?, ?, ?, ?, 'T', 1)",
            (
                (f"text {n}", f"s{n:09}", f"f{n}", n + 1, start + 3600 * n, start + 3600 * n, f"id{n % 1100}")
                for n in range(count)
            ),
        )
        db.commit()


def main() -> None:
    rows: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in (
            lambda: processes(folder),
            decoding,
            lambda: first_start(folder),
            lambda: growth(folder),
        ):
            for row in part():
                rows.append(row)
                print(f"{row[0]:<66} {row[1]}", flush=True)
    table = "\n".join(["| Measured | Median |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])
    page = ROOT / "docs" / "evidence.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(
        re.sub(
            r"(<!-- bench -->\n).*?(<!-- /bench -->)",
            lambda m: f"{m[1]}{table}\n{m[2]}",
            text,
            flags=re.DOTALL,
        ),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()

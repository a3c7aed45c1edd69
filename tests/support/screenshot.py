"""`make screenshot`: a simulated month, then the report's page, half light, half dark, as docs/report.png."""

from __future__ import annotations

import base64
import random
import sys
import tempfile
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from src.config import ROOT
from src.content import library
from src.watch.report import measures
from src.watch.report.page import as_html
from tests.support.browser import INSTALL, installed, new_browser
from tests.support.month import Writer, attention, simulate
from tests.support.world import new_world

WIDTH, HEIGHT = 1240, 1080
MOST_BYTES = 200_000


def page(folder: Path, hours: int) -> str:
    """Return the page after so many hours that end at START."""
    rng = random.Random(3)
    vars(library)["load"] = lru_cache(
        library.load
    )  # each run of its own would read the library once; here one process makes hundreds of runs
    with new_world(folder, DAILY_BUDGET_USD="1", MONTHLY_BUDGET_USD="20", RESULTS_AFTER_DAYS="7") as world:
        world.x.figures = attention
        world.move(hours=-hours - 2)
        world.x.pace = lambda: 0.35 if rng.random() < 0.03 else rng.uniform(0.05, 0.11)
        simulate(world, hours, composer=Writer(world, rng))
        world.tick()
        world.move(minutes=12)
        now = datetime.now(UTC)
        return as_html(measures.read(world.settings, now, 30), world.settings)


def main() -> None:
    if not installed():
        raise SystemExit(INSTALL)
    hours = int(sys.argv[1]) if len(sys.argv) > 1 else 30 * 24
    with tempfile.TemporaryDirectory() as name, new_browser() as browser:
        folder = Path(name)
        file = folder / "report.html"
        file.write_text(page(folder, hours), encoding="utf-8")
        shots = []
        for dark in (False, True):
            browser.open(file.as_uri(), width=WIDTH, height=HEIGHT, dark=dark)
            shots.append(base64.b64encode(browser.picture()).decode())
        both = folder / "both.html"
        both.write_text(
            "<style>body{margin:0}img{position:absolute;left:0;top:0}"
            ".dark{clip-path:polygon(56% 0,100% 0,100% 100%,44% 100%)}</style>"
            f'<img src="data:image/png;base64,{shots[0]}">'
            f'<img class="dark" src="data:image/png;base64,{shots[1]}">',
            encoding="utf-8",
        )
        browser.open(both.as_uri(), width=WIDTH, height=HEIGHT)
        picture = browser.picture()
        target = ROOT / "docs" / "report.png"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(picture)
        if len(sys.argv) > 2:
            Path(sys.argv[2]).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    print(f"docs/report.png: {len(picture) // 1000} kB")
    if len(picture) > MOST_BYTES:
        raise SystemExit(f"more than {MOST_BYTES // 1000} kB")


if __name__ == "__main__":
    main()

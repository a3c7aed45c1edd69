"""X's own reading of texts: npm's twitter-text, asked in one process for many texts."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(sys.prefix) / "twitter-text"  # `make twitter-text` installs it there
INSTALL = "npm, then type: make twitter-text"


class Seen(NamedTuple):
    """What X sees in one text. `links` are starts and ends in UTF-16 units."""

    links: list[list[int]]
    mentions: list[str]
    hashtags: list[str]
    cashtags: list[str]
    weight: int


def is_installed() -> bool:
    """Return whether X's library can be asked."""
    return (FOLDER / "node_modules" / "twitter-text" / "package.json").exists()


def read_as_x(texts: Sequence[str]) -> list[Seen]:
    """Return what X's library sees in each text."""
    environment = {**os.environ, "NODE_PATH": str(FOLDER / "node_modules")}
    script = Path(__file__).with_suffix(".js")
    answer = subprocess.run(
        ["node", script],
        input=json.dumps(list(texts)),
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return [Seen(*seen) for seen in json.loads(answer.stdout)]

"""One machine with several accounts, each a profile of its own."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from src import config
from src.config import ROOT, Settings
from tests.fake_x import Credentials, FakeX, Stored


class Machine:
    """One machine with one store, and a fake X that knows an account for each profile."""

    def __init__(self, folder: Path, x: FakeX) -> None:
        self.folder, self.x, self.candidates = folder, x, "0"
        self.env = {"DATA_DIR": str(folder / "data"), "LOG_DIR": str(folder / "logs")}

    def credentials(self, name: str) -> Credentials:
        number = 5_000_000_000 + int.from_bytes(name.encode(), "big") % 10**9
        return Credentials(
            f"key-of-{name}-0123456789",
            f"secret-of-{name}-0123456789",
            f"{number}-token-of-{name}",
            f"token-secret-of-{name}-0123456789",
        )

    def add(self, name: str, keys_of: str = "", **extra: str) -> Path:
        """Make a profile as the README says: a folder and a private .env, with keys of its own."""
        keys = self.credentials(keys_of or name)
        self.x.accounts[keys.access_token] = keys
        file = self.folder / "data" / "profiles" / name / ".env"
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
        settings = {
            "X_API_BASE_URL": self.x.url,
            "TWITTER_API_KEY": keys.api_key,
            "TWITTER_API_SECRET": keys.api_secret,
            "TWITTER_ACCESS_TOKEN": keys.access_token,
            "TWITTER_ACCESS_TOKEN_SECRET": keys.access_token_secret,
            "CANDIDATES": self.candidates,
            "CONNECT_TIMEOUT_SECONDS": "10",
            "READ_TIMEOUT_SECONDS": "20",
            **extra,
        }
        file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        return file

    def settings(self, name: str) -> Settings:
        return config.load(self.env, name)

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        bare = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **self.env, **env}
        return subprocess.Popen(
            [sys.executable, "-m", "src.twitter_manager", *arguments],
            cwd="/",
            env=bare,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def cli(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **env)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def rows(self, name: str, sql: str = "SELECT * FROM posts ORDER BY id") -> list[sqlite3.Row]:
        file = self.folder / "data" / "profiles" / name / "twitter.db"
        with contextlib.closing(sqlite3.connect(file)) as db:
            db.row_factory = sqlite3.Row
            return db.execute(sql).fetchall()

    def tweets_of(self, name: str) -> list[Stored]:
        return [t for t in self.x.accepted if self.x.owners[t.id] == self.credentials(name).user_id]

    def log_lines(self, name: str) -> list[dict[str, Any]]:
        return [
            json.loads(line)
            for line in (self.folder / "logs" / name / "twitter_manager.log").read_text().splitlines()
        ]

"""Logins with OAuth 2.0 for tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests

from src.domain.logins import PinLogin, RenewableLogin
from src.x import credentials
from tests.fake_x import FakeX
from tests.support.world import World

CLIENT = {"TWITTER_CLIENT_ID": "fakeClientId", "TWITTER_CLIENT_SECRET": "fakeClientSecret0123456789"}


SECRETS = ("access-", "refresh-", "fakeAccessToken", "fakeApiSecret", "fakeClientSecret", "requestSecret")


@contextlib.contextmanager
def app_keys_only(folder: Path) -> Iterator[World]:
    """Make a world in real time that has the app's keys and no login yet."""
    extra = {
        "POST_INTERVAL_MINUTES": "1440",
        "CANDIDATES": "0",
        "TWITTER_ACCESS_TOKEN": "",
        "TWITTER_ACCESS_TOKEN_SECRET": "",
        "READ_TIMEOUT_SECONDS": "5",
        **CLIENT,
    }
    with FakeX() as x:
        yield World(folder, x, None, extra=extra)


def secrets_shown(world: World, *texts: str) -> list[str]:
    """Secrets in texts or log files."""
    logs = "".join(f.read_text() for f in (world.folder / "logs").glob("*.log"))
    return [s for s in SECRETS for text in (*texts, logs) if s in text]


def give_login(world: World, *, minutes: float = 120.0, age: float = 0.0) -> None:
    """Give the account an OAuth 2.0 login whose access token lasts so many minutes more."""
    now = world.x.now()
    world.extra |= CLIENT
    world.x.oauth2.access_tokens["access-0"] = now + minutes * 60
    at = datetime.fromtimestamp(now, UTC)
    file = world.folder / "data" / "credentials.json"
    login = RenewableLogin(
        "access-0",
        "refresh-0",
        at + timedelta(minutes=minutes),
        at - timedelta(days=age),
        world.x.credentials.user_id,
        credentials.SCOPES,
    )
    credentials.reserve(file)
    credentials.save(file, login)


def kept(world: World) -> PinLogin | RenewableLogin | None:
    return credentials.load(world.folder / "data" / "credentials.json")


def allow(line: str) -> str:
    """Open the address as the owner's browser does; return where it is sent."""
    return requests.get(line.strip(), allow_redirects=False, timeout=5).headers["Location"]

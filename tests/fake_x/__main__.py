"""Run the fake X by hand: `python -m tests.fake_x --port 8765`."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable

from tests.fake_x.faults import (
    Fault,
    close,
    duplicate,
    hang,
    no_credits,
    rate_limited,
    server_error,
    unauthorized,
)
from tests.fake_x.server import FakeX

FAULTS: dict[str, Callable[[], Fault]] = {
    "lost-answer": lambda: close(accept=True),
    "unavailable": lambda: server_error(503, accept=False),
    "hang": lambda: hang(accept=True),
    "duplicate": duplicate,
    "no-credits": no_credits,
    "unauthorized": unauthorized,
    "rate-limited": lambda: rate_limited(int(time.time()) + 900),
}


def main() -> None:
    """Run by hand: print the settings that point the program here, then what happens."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fake_x",
        description="Run a fake X on this machine, to try the program without an account.",
    )
    parser.add_argument("--port", type=int, default=8765, help="port on 127.0.0.1 (default 8765)")
    parser.add_argument(
        "--fault",
        choices=sorted(FAULTS),
        action="append",
        default=[],
        help="misbehave this way at the next post; may be repeated",
    )
    options = parser.parse_args()
    x = FakeX(options.port, log=lambda line: print(line, flush=True))
    x.on_post(*(FAULTS[name]() for name in options.fault))
    c = x.credentials
    print(
        f"X_API_BASE_URL={x.url}\nTWITTER_API_KEY={c.api_key}\nTWITTER_API_SECRET={c.api_secret}\nTWITTER_ACCESS_TOKEN={c.access_token}\nTWITTER_ACCESS_TOKEN_SECRET={c.access_token_secret}",
        flush=True,
    )
    with x:
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()

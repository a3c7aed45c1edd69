"""A fake X on loopback that keeps what it accepted, verifies OAuth 1.0a signatures, and misbehaves on script.

    with FakeX() as x:
        x.on_post(lost_answer(), ok())      # one fault a request; afterwards it behaves
        ...
        assert x.texts() == [...]

Every fault comes in two kinds: before (`accept=False`) and after (`accept=True`) the tweet was stored. What the
timeline shows is a `Look`: honest, or a `Liar`. By hand: `python -m tests.fake_x --port 8765`.
"""

from dataclasses import replace

from tests.fake_x.faults import (
    PROBLEMS,
    Fault,
    answer,
    bad_id_201,
    bad_text,
    big,
    close,
    dribble,
    duplicate,
    empty,
    empty_201,
    errors_200,
    garbage_201,
    half_status,
    hang,
    html_200,
    invalid_request,
    malformed,
    no_credits,
    no_id_201,
    not_enrolled,
    not_found,
    ok,
    rate_limited,
    read_only,
    redirect,
    refuse,
    reset,
    server_error,
    stale,
    suspended,
    truncated,
    unauthorized,
)
from tests.fake_x.memory import EPOCH_MS, Credentials, OAuth2, Seen, Stored
from tests.fake_x.server import FakeX, _Handler
from tests.fake_x.timeline import Honest, Liar, Look

__all__ = [
    "Credentials",
    "EPOCH_MS",
    "FakeX",
    "Fault",
    "Honest",
    "Liar",
    "Look",
    "OAuth2",
    "PROBLEMS",
    "Seen",
    "Stored",
    "_Handler",
    "answer",
    "bad_id_201",
    "bad_text",
    "big",
    "close",
    "dribble",
    "duplicate",
    "empty",
    "empty_201",
    "errors_200",
    "garbage_201",
    "half_status",
    "hang",
    "html_200",
    "invalid_request",
    "malformed",
    "no_credits",
    "no_id_201",
    "not_enrolled",
    "not_found",
    "ok",
    "rate_limited",
    "read_only",
    "redirect",
    "refuse",
    "replace",
    "reset",
    "server_error",
    "stale",
    "suspended",
    "truncated",
    "unauthorized",
]

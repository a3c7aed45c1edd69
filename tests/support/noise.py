"""Random answers of X: heads and bodies of every sound and unsound shape."""

from __future__ import annotations

import json
import random
import time
from typing import Any

from src.domain.answers import TWITTER_EPOCH_MS
from src.x.session import MAX_BODY_BYTES

VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    7,
    10**30,
    1.5,
    "",
    "x",
    "123",
    "1" * 25,
    "٣",
    [],
    [1],
    {},
    {"id": "9"},
    "\x1b[2J\u202e\n",
    [{"code": 135}],
    [None],
    [{"message": []}],
    "duplicate",
    {"a": {"b": []}},
]


KEYS = ["data", "errors", "title", "detail", "type", "status", "reason", "meta", "error"]


def id_of_now() -> int:
    """Return an id that X can give to a tweet now."""
    return (int(time.time() * 1000) - TWITTER_EPOCH_MS) << 22


def random_body(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.1:
        return rng.choice(
            [
                "",
                "null",
                "[]",
                "<html></html>",
                "{",
                '"x"',
                "1",
                "[" * 3000,
                "\ufffd" * 50,
                "NaN",
                '{"data":{"id":"12"}',
                "x" * (MAX_BODY_BYTES // 50),
            ]
        )
    data: dict[str, Any] = {rng.choice(KEYS): rng.choice(VALUES) for _ in range(rng.randrange(5))}
    if rng.random() < 0.2:
        data["data"] = {
            "id": rng.choice([*VALUES, "1456012973835788293", str(id_of_now())]),
            "text": rng.choice(VALUES),
        }
    if rng.random() < 0.2:
        data["data"], data["meta"] = (
            [{"id": rng.choice(["5", 5, None, "x"]), "text": rng.choice(["a", None])}],
            {"result_count": rng.choice([1, 0, "1", None])},
        )
    return json.dumps(data)


def random_headers(rng: random.Random) -> dict[str, str]:
    names = [
        "x-rate-limit-reset",
        "x-rate-limit-remaining",
        "x-rate-limit-limit",
        "x-user-limit-24hour-reset",
        "x-user-limit-24hour-remaining",
        "x-user-limit-24hour-limit",
        "Date",
    ]
    values = [
        "",
        "soon",
        "0",
        "-1",
        "1763820000",
        "9" * 30,
        "²",
        "Sun, 22 Nov 2026 15:07:00 GMT",
        "Sun, 99 Foo",
        "1e3",
        "\x00",
    ]
    return {rng.choice(names): rng.choice(values) for _ in range(rng.randrange(5))}

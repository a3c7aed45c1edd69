"""What X does with a request in place of a sound answer: faults with names, before and after the tweet was stored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

PROBLEMS = "https://api.twitter.com/2/problems/"


@dataclass(frozen=True)
class Fault:
    """What to do instead of answering. `accept` stores the tweet first, `accept_late` so many seconds later."""

    kind: str = "ok"
    accept: bool = True
    status: int = 201
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float = 30.0
    accept_late: float | None = None


# ---- faults with names ---------------------------------------------------------------------------------------


def ok() -> Fault:
    return Fault()


def hang(accept: bool, seconds: float = 30.0) -> Fault:
    return Fault("hang", accept, seconds=seconds)


def reset(accept: bool) -> Fault:
    return Fault("reset", accept)


def close(accept: bool) -> Fault:
    return Fault("close", accept)


def truncated(accept: bool = True) -> Fault:
    return Fault("truncate", accept, body='{"data":{"id":"14560')


def half_status(accept: bool) -> Fault:
    return Fault("raw", accept, body="HTTP/1.1 20")


def dribble(accept: bool) -> Fault:
    return Fault("dribble", accept)


def answer(
    status: int, body: str = "", accept: bool = False, *headers: tuple[str, str], late: float | None = None
) -> Fault:
    return Fault("answer", accept, status, body, headers, accept_late=late)


def html_200(accept: bool) -> Fault:
    return answer(
        200, "<html><body>Something went wrong</body></html>", accept, ("Content-Type", "text/html")
    )


def empty_201(accept: bool) -> Fault:
    return answer(201, "", accept)


def no_id_201(accept: bool) -> Fault:
    return answer(201, '{"data":{"text":"x"}}', accept)


def bad_id_201(accept: bool) -> Fault:
    return answer(201, '{"data":{"id":"not-a-number"}}', accept)


def garbage_201(accept: bool) -> Fault:
    return answer(201, "\x00\xff{{{", accept)


def big(accept: bool) -> Fault:
    return answer(201, "x" * 10_000_000, accept)


def server_error(status: int, accept: bool, body: str = "", late: float | None = None) -> Fault:
    return answer(
        status, body or json.dumps({"title": "Service Unavailable", "status": status}), accept, late=late
    )


def redirect(status: int = 307, accept: bool = False) -> Fault:
    return Fault("redirect", accept, status)


def refuse(code: int, accept: bool = False, /, **body: Any) -> Fault:
    return answer(code, json.dumps(body), accept)


def unauthorized() -> Fault:
    return refuse(401, title="Unauthorized", type="about:blank", status=401, detail="Unauthorized")


def no_credits() -> Fault:
    return refuse(
        402,
        title="CreditsDepleted",
        type=PROBLEMS + "credits",
        detail="Your enrolled account [1] does not have any credits to fulfill this request.",
    )


def duplicate(accept: bool = False) -> Fault:
    return refuse(
        403,
        accept,
        detail="You are not allowed to create a Tweet with duplicate content.",
        type="about:blank",
        title="Forbidden",
        status=403,
    )


def suspended() -> Fault:
    return refuse(403, detail="This account is suspended (user-suspended).", title="Forbidden", status=403)


def read_only() -> Fault:
    return refuse(
        403,
        title="Forbidden",
        type=PROBLEMS + "oauth1-permissions",
        detail="Your client app is not configured with the appropriate oauth1 app permissions for this endpoint.",
    )


def not_enrolled() -> Fault:
    return refuse(
        403,
        title="Client Forbidden",
        reason="client-not-enrolled",
        type=PROBLEMS + "client-forbidden",
        detail="attach",
    )


def bad_text() -> Fault:
    return refuse(403, detail="Posts are limited to a maximum of one cashtag.", title="Forbidden", status=403)


def invalid_request() -> Fault:
    return refuse(
        400,
        title="Invalid Request",
        type=PROBLEMS + "invalid-request",
        detail="One or more parameters to your request was invalid.",
    )


def rate_limited(reset_at: float | str | None, *more: tuple[str, str]) -> Fault:
    headers = (
        ()
        if reset_at is None
        else (
            ("x-rate-limit-reset", str(reset_at)),
            ("x-rate-limit-remaining", "0"),
            ("x-rate-limit-limit", "100"),
        )
    )
    return answer(
        429,
        json.dumps(
            {
                "title": "Too Many Requests",
                "detail": "Too Many Requests",
                "type": "about:blank",
                "status": 429,
            }
        ),
        False,
        *headers,
        *more,
    )


# ---- faults of the timeline -----------------------------------------------------------------------------------


def not_found() -> Fault:
    return refuse(
        404, title="Not Found Error", type=PROBLEMS + "resource-not-found", detail="Could not find user"
    )


def stale() -> Fault:
    """Show the timeline as it was before the newest three tweets, and without any we know of late."""
    return Fault("stale")


def empty() -> Fault:
    return answer(200, '{"meta":{"result_count":0}}')


def malformed() -> Fault:
    return answer(200, "null")


def errors_200() -> Fault:
    return answer(200, '{"errors":[{"title":"x"}],"meta":{"result_count":0}}')

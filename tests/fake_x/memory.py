"""What the fake X remembers: accounts, tweets, requests, and the state of its logins."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

EPOCH_MS = 1288834974657
SEQUENCE_OF_LATE_TWEETS = 2_000_000  # of the 22 bits below the time in an id


@dataclass(frozen=True)
class Credentials:
    """The four keys of an app and its user; the user id is the first part of the access token."""

    api_key: str = "fakeApiKey0123456789abcdef"
    api_secret: str = "fakeApiSecret0123456789abcdefABCDEF0123456789"
    access_token: str = "1234567890-fakeAccessToken0123456789abcdef"
    access_token_secret: str = "fakeAccessTokenSecret0123456789abcdefABCD"

    @property
    def user_id(self) -> str:
        return self.access_token.partition("-")[0]


@dataclass
class Stored:
    """A tweet on the fake X. `via` is api (this program) or hand (a person).

    `asked` is when the request came, `at` when the tweet was made, `slot` what the test called its time. An
    edit gives a further id in `newer` and the text `edited`; `text` stays what was sent.
    """

    id: int
    text: str
    at: float
    via: str = "api"
    deleted: bool = False
    deleted_at: float = math.inf  # Unix seconds; when its owner deleted it by hand
    visible_at: float = 0.0
    asked: float = 0.0
    slot: str = ""
    newer: tuple[int, ...] = ()
    edited: str = ""

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids of all versions, the first one first."""
        return (self.id, *self.newer)


@dataclass(frozen=True)
class Seen:
    """A request as it came in, with the status that was sent (0: none)."""

    method: str
    path: str
    query: dict[str, str]
    body: str
    status: int
    at: float


@dataclass
class OAuth2:
    """The state of the token endpoints."""

    client_id: str = "fakeClientId"
    client_secret: str = "fakeClientSecret0123456789"
    refresh_token: str = "refresh-0"
    access_tokens: dict[str, float] = field(default_factory=dict)  # token -> when it ends
    life: float = 7200.0
    codes_denied: bool = False
    used: set[str] = field(default_factory=set)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    revoked: bool = False
    token_requests: int = 0
    number: int = 0

"""The tokens of a login at X."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PinLogin:
    """An OAuth 1.0a token pair, which does not expire. `login` got it at `at` (UTC)."""

    token: str = field(repr=False)
    token_secret: str = field(repr=False)
    at: datetime

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that no log may show."""
        return self.token, self.token_secret


@dataclass(frozen=True, slots=True)
class RenewableLogin:
    """OAuth 2.0 tokens of one account, from `login --oauth2` or from a renewal since. Times are UTC.

    The access token ends at `expires_at`. The refresh token is good for one renewal, which gives two new
    ones.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: datetime
    issued_at: datetime
    user_id: str = field(repr=False)
    scopes: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that no log may show."""
        return self.access, self.refresh


Login = PinLogin | RenewableLogin

"""The tokens of a login: which values are secrets, and that none of them is shown."""

from datetime import UTC, datetime

import pytest

from src.domain.logins import PinLogin, RenewableLogin

NOW = datetime(2026, 11, 22, 14, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("login", "secrets", "hidden"),
    [
        (PinLogin("the-token", "the-secret", NOW), ("the-token", "the-secret"), ()),
        (RenewableLogin("the-token", "the-secret", NOW, NOW, "4711"), ("the-token", "the-secret"), ("4711",)),
    ],
)
def test_no_secret_is_shown(login, secrets, hidden):
    """A login that gets into a message or a log shows its times alone."""
    assert login.secrets == secrets
    assert not any(value in repr(login) for value in (*secrets, *hidden))
    assert "2026" in repr(login)

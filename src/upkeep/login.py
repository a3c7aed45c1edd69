"""The dialogue of `login`: the owner allows this program on x.com, and the tokens that X gives are kept.

OAuth 1.0a shows the owner a number to type; OAuth 2.0 sends the owner's browser to the app's callback
address, which is pasted here. Nothing listens on this machine. Nothing is changed before the tokens are
there; they are written last, under the writer lock.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

from src import db_manager
from src.config import Settings
from src.domain.errors import BusyError, TemporaryError, UsageError
from src.domain.fixes import Fix, command
from src.domain.logins import Login, RenewableLogin
from src.system import log, terminal
from src.system.clock import Clock
from src.system.lock import sole_writer
from src.x import account_name, credentials
from src.x.claim import claim_account, fix_text
from src.x.oauth import FIX_AGAIN, CodeFlow, PinFlow

LOCK_SECONDS = 60.0
Tell = Callable[[str], None]


def run(options: argparse.Namespace, settings: Settings, clock: Clock) -> tuple[dict[str, object], str]:
    """Carry out one login; return (data, text) for `show`. After a `ProgramError` no token is changed."""

    def tell(message: str) -> None:
        terminal.write(message, aside=options.json)

    login, name = _by_code(settings, clock, tell) if options.oauth2 else _by_pin(settings, clock, tell)
    log.keep_secret(login.secrets)
    _keep(settings, login, clock)
    account_name.keep(settings.with_login(login), name)
    data: dict[str, object] = {
        "login": _kind(login),
        "account": name or None,
        "file": str(settings.credentials_file),
    }
    proof = fix_text(Fix(command("check --online"), " proves that they may post"), settings.profile)
    kept = f"logged in{f' as @{name}' if name else ''}; the tokens are in {settings.credentials_file}"
    return data, f"{kept}\n{proof}"


def _kind(login: Login) -> str:
    return "oauth2" if isinstance(login, RenewableLogin) else "oauth1"


def _by_pin(settings: Settings, clock: Clock, tell: Tell) -> tuple[Login, str]:
    flow = PinFlow(settings)
    tell(
        "Open this address, signed in at x.com as the account that posts, and allow the app:\n\n"
        f"  {log.sanitise(flow.address())}\n"
    )
    pin = _ask("Then type the number that X shows:", tell)
    if not (pin.isascii() and pin.isalnum() and len(pin) <= 64):
        message = "that is not the number that X shows; nothing was changed"
        raise UsageError(message, FIX_AGAIN)
    return flow.login(pin, clock.now()), flow.account_name


def _by_code(settings: Settings, clock: Clock, tell: Tell) -> tuple[Login, str]:
    flow = CodeFlow(settings)
    tell(
        "Open this address, signed in at x.com as the account that posts, and allow the app:\n\n"
        f"  {flow.address()}\n\n"
        f"Your browser is then sent to {settings.twitter_redirect_uri}?...,"
        " where it may say that nothing answers: that is fine."
    )
    pasted = urlsplit(
        _ask("Copy that whole address from the browser's address line and paste it here:", tell)
    )
    if not pasted.query:
        message = "that is not the whole address (it holds `state=` and `code=`); nothing was changed"
        raise UsageError(message, FIX_AGAIN)
    return flow.login(pasted, clock.now()), flow.account_name


def _ask(question: str, tell: Tell) -> str:
    """Return one line that the owner types."""
    tell(question)
    answer = sys.stdin.readline(8192).strip() if sys.stdin else ""
    if not answer:
        message = "nothing was typed; nothing was changed"
        raise UsageError(message, FIX_AGAIN)
    return answer


def _keep(settings: Settings, login: Login, clock: Clock) -> None:
    """Write the tokens if they are of the account of this database, and let the next run try them."""
    account = settings.with_login(login)
    if settings.account_id not in {"", account.account_id} and settings.database.exists():
        message = "that is another account than the one this database has posts of"
        raise UsageError(
            message,
            Fix(
                "log in at x.com with the right account first, or give the other one a profile:"
                " --profile NAME"
            ),
        )
    claim_account(account)
    try:
        with sole_writer(settings.database, wait=LOCK_SECONDS, sleep=clock.sleep):
            _save(settings, login, clock)
    except BusyError as error:
        message = f"{error}; the tokens were not kept"
        raise TemporaryError(
            message, Fix("wait for it to end, then start ", command("login"), " again")
        ) from error


def _save(settings: Settings, login: Login, clock: Clock) -> None:
    """Write the tokens and lift a block. Call with the lock held."""
    credentials.reserve(settings.credentials_file)
    credentials.save(settings.credentials_file, login)
    log.logger.info("login.made", extra={"kind": _kind(login)})
    if not settings.database.exists():
        return
    with contextlib.closing(db_manager.open_database(settings.database, clock.now())) as db:
        hold = db.notes.current_hold()
        if hold and hold.kind == "blocked":
            db.notes.clear_hold()

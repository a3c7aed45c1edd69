"""`alerts test`: send a test to every alert address and the ping, and say which arrived."""

from __future__ import annotations

from src.commands.arguments import Parser, add_actions
from src.commands.command import Command, Context
from src.commands.result import Result
from src.domain.errors import ConfigError
from src.domain.fixes import Fix, env_file
from src.domain.runs import Exit
from src.watch import alerts


def configure(parser: Parser) -> None:
    """Add the one action."""
    add_actions(parser)("test", "test every alert address and the ping now")


def run(context: Context) -> Result:
    """Send the tests. Raise `ConfigError` where nothing is set that could be tested."""
    delivered = alerts.send_test(context.settings)
    if not delivered:
        message = "neither ALERT_URLS nor PING_URL is set"
        raise ConfigError(
            message, Fix("set one in ", env_file(), "; https://github.com/caronc/apprise lists the addresses")
        )
    lines = [
        f"{name}: {'delivered' if arrived else 'NOT delivered, see the log'}"
        for name, arrived in delivered.items()
    ]
    exit_code = Exit.OK if all(delivered.values()) else Exit.TEMPORARY
    return Result(delivered, "\n".join(lines), exit_code)


COMMAND = Command("alerts", "test the alert addresses and the dead-man's ping", run, configure)

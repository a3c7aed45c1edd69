"""`alerts test`: send a test to every alert address and the ping, and say which arrived."""

from __future__ import annotations

from dataclasses import asdict

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
    deliveries = alerts.send_test(context.settings)
    if not deliveries:
        message = "neither ALERT_URLS nor PING_URL is set"
        raise ConfigError(
            message, Fix("set one in ", env_file(), "; https://github.com/caronc/apprise lists the addresses")
        )
    lines = [f"{d.address}: {'reached' if d.reached else f'NOT reached: {d.why}'}" for d in deliveries]
    data = {"deliveries": [asdict(delivery) for delivery in deliveries]}
    exit_code = Exit.OK if all(delivery.reached for delivery in deliveries) else Exit.TEMPORARY
    return Result(data, "\n".join(lines), exit_code)


COMMAND = Command("alerts", "test the alert addresses and the dead-man's ping", run, configure)

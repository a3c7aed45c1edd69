"""`login`: fetch tokens for the account and keep them."""

from __future__ import annotations

from src.commands.arguments import Parser
from src.commands.command import Command, Context
from src.commands.result import Result
from src.upkeep import login


def configure(parser: Parser) -> None:
    """Add the choice between the two logins."""
    parser.add_argument(
        "--oauth2",
        action="store_true",
        help="by OAuth 2.0 (tokens that each run renews) instead of a PIN (tokens that last)",
    )


def run(context: Context) -> Result:
    """Lead the owner through the login."""
    return Result(*login.run(context.options, context.settings, context.clock))


COMMAND = Command(
    "login", "log in at x.com: fetch the access tokens of the account that posts", run, configure
)

"""`install`: print the cron lines and the systemd units, put them in place, or take them out again."""

from __future__ import annotations

import argparse
import shutil

from src.commands.arguments import Parser
from src.commands.command import Command, Context
from src.commands.result import Result, confirmed
from src.config import Settings
from src.domain.errors import UsageError
from src.domain.fixes import Fix, command
from src.upkeep import install, launcher, units
from src.x.claim import fix_text, title


def configure(parser: Parser) -> None:
    """Add what to do, and with which part."""
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--print", action="store_true", help="print them; this is what happens without it too"
    )
    action.add_argument(
        "--apply",
        action="store_true",
        help="put the cron lines, or with --systemd the units, and a launcher in place, after asking",
    )
    action.add_argument(
        "--remove", action="store_true", help="take out what --apply put in place, after asking"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--cron", action="store_true", help="only the lines for your crontab")
    part.add_argument("--systemd", action="store_true", help="only the systemd units")
    part.add_argument("--unit", metavar="NAME", help="print only this unit, as twitter_manager.service")


def problem(options: argparse.Namespace) -> str:
    """Return what does not go together."""
    changes = options.apply or options.remove
    if options.unit and changes:
        return "--unit prints one unit; --apply and --remove take --cron or --systemd"
    if options.yes and not changes:
        return "--yes goes with --apply or --remove"
    return ""


def run(context: Context) -> Result:
    """Print, apply or remove."""
    if context.options.apply:
        return _apply(context)
    if context.options.remove:
        return _remove(context)
    return _print(context.options, context.settings)


def _print(options: argparse.Namespace, settings: Settings) -> Result:
    lines, files = units.cron(settings), units.units(settings)
    if options.unit:
        if options.unit not in files:
            message = f"there is no unit {options.unit}"
            raise UsageError(message, Fix(f"choose one of {', '.join(files)}"))
        return Result({"units": {options.unit: files[options.unit]}}, files[options.unit])
    parts = [] if options.systemd else [lines]
    if not options.cron:
        parts += [f"# ---- /etc/systemd/system/{name}\n{text}" for name, text in files.items()]
    return Result({"cron": lines, "units": files}, "\n".join(parts))


def _apply(context: Context) -> Result:
    options, settings = context.options, context.settings
    launcher.refuse_foreign()
    if options.systemd:
        where = install.manager()
        plan = [f"write {file}" for file in install.unit_files(settings, where)]
        plan.append("start the timers")
    else:
        plan = ["add to your crontab:", install.cron_block(settings)]
    if not _agreed(context, [*plan, f"write {launcher.path()}"]):
        return Result({"applied": False}, "nothing was changed")
    data: dict[str, object] = {"applied": True}
    if options.systemd:
        data["units"] = [str(file) for file in install.put_units(settings, where)]
    else:
        install.put_cron(settings)
        data["cron"] = install.cron_block(settings)
    data["launcher"] = str(launcher.put())
    return Result(data, "\n".join(_done(options, settings)))


def _done(options: argparse.Namespace, settings: Settings) -> list[str]:
    """Return what was done and what the owner has to know of it."""
    scheduler = "systemd" if options.systemd else "cron"
    lines = [
        f"{scheduler} starts {title(settings.profile)} from now on; "
        + fix_text(Fix(command("install --remove"), " takes it out again"), settings.profile)
    ]
    if options.systemd and install.manager().of_user:
        lines.append("to let it run while you are logged out, type: loginctl enable-linger")
    if not shutil.which(launcher.NAME):
        lines.append(f"the command is {launcher.path()}: add its folder to PATH")
    return lines


def _remove(context: Context) -> Result:
    options, settings = context.options, context.settings
    what = "units and timers" if options.systemd else "crontab lines"
    if not _agreed(context, [f"remove the {what} of {title(settings.profile)} in this folder"]):
        return Result({"removed": []}, "nothing was changed")
    removed = []
    if options.systemd:
        if install.remove_units(settings, install.manager()):
            removed.append("units")
    elif install.remove_cron(settings):
        removed.append("cron")
    if not settings.profile and launcher.remove():  # the launcher serves all profiles
        removed.append("launcher")
    return Result(
        {"removed": removed}, f"removed: {', '.join(removed)}" if removed else "there was nothing to remove"
    )


def _agreed(context: Context, plan: list[str]) -> bool:
    if context.options.yes:
        return True
    return confirmed("\n".join(plan), "Do this?", as_json=context.options.json)


COMMAND = Command(
    "install",
    "show the cron lines and the systemd units, and change nothing; --apply puts them in place",
    run,
    configure,
    problem,
)

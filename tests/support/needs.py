"""What a test may need of the machine, by the names of the mark `needs`, and how to install it."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
from typing import Any

import pytest

from src import config
from src.config import Settings
from src.domain.errors import ModelError
from src.model import choose
from src.model.choose import Model
from tests.support import qwen, twitter_text

ROOT_PATH = "/usr/sbin:/sbin"
# Programs that must be there, and the Debian packages that hold them.
TOOLS: dict[str, tuple[tuple[str, ...], str]] = {
    "browser": (("chromium", "chromedriver"), "chromium chromium-driver"),
    "cron": (("cron", "unshare", "faketime"), "cron util-linux faketime"),
    "fish": (("fish",), "fish"),
    "image": (("buildah", "debootstrap", "unshare", "pivot_root"), "buildah debootstrap util-linux"),
    "node": (("node",), "nodejs"),
    "openssl": (("openssl",), "openssl"),
    "strace": (("strace",), "strace"),
    "systemd": (("systemd-analyze",), "systemd"),
    "zsh": (("zsh",), "zsh"),
}


def missing(name: str) -> str:
    """Return what a need lacks, with the line that installs it; nothing where all is there."""
    if name == "model":
        return _missing_model()
    if name == "twitter-text":
        return (
            "" if twitter_text.is_installed() else f"X's library is missing; install {twitter_text.INSTALL}"
        )
    if name == "qwen":
        return "" if qwen.VOCABULARY.exists() else f"Qwen's vocabulary is missing; type: {qwen.INSTALL}"
    programs, packages = TOOLS[name]
    lacking = [p for p in programs if not (shutil.which(p) or shutil.which(p, path=ROOT_PATH))]
    return f"{', '.join(lacking)} missing; type: apt-get install {packages}" if lacking else ""


def _missing_model() -> str:
    try:
        choose.locate(config.load({"DATA_DIR": str(config.ROOT / "data")}))
    except ModelError:
        return "the embedded model is missing; type: make model"
    return ""


def refuse(reason: str) -> None:
    """Skip the test; in CI, where everything has to be installed, let it fail."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def need(name: str) -> None:
    """Skip, or in CI fail, where a need is missing."""
    if reason := missing(name):
        refuse(reason)


def need_module(name: str) -> Any:
    """Import a package of requirements-dev.txt; skip, or in CI fail, where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError:
        refuse(f"{name} is missing; type: pip install -r requirements-dev.txt -c constraints.txt")


def embedded_model(settings: Settings) -> Model:
    """Return the installed embedded model. The mark `model` has skipped the test where there is none."""
    return choose.locate(settings)


def root_prefix() -> list[str]:
    """Return the words that make a command run as root in a mount namespace, if that needs no password."""
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if (prefix and not shutil.which("sudo")) or subprocess.run(
        [*prefix, "unshare", "-m", "true"], capture_output=True, check=False
    ).returncode:
        refuse("a private cron needs root (or sudo without a password) and mount namespaces")
    return prefix

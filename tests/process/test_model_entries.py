"""The processes that the program starts by the name of a module: each name starts the module that it means."""

import json
import subprocess
import sys

import pytest

from src.config import ROOT
from src.model import child, client, convert, tune


@pytest.mark.parametrize(
    ("entry", "arguments", "request_", "complaint"),
    [
        (client.ENTRY, [], "{}", "KeyError: 'model'"),
        (convert.ENTRY, [], "", "convert() missing 2 required positional arguments: 'gguf' and 'target'"),
        (tune.ENTRY, [], json.dumps({"lessons": [], "target": "x", "recipe": {"no": 1}}), "'no'"),
    ],
    ids=["worker", "convert", "tune"],
)
def test_each_entry_starts(entry, arguments, request_, complaint):
    """The module is found by its name, reads its request and says what is wrong with this one."""
    done = subprocess.run(
        [sys.executable, "-m", entry, *arguments],
        cwd=ROOT,
        env=child.environment(),
        input=request_,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert complaint in done.stderr.splitlines()[-1]


def test_the_worker_loads_only_its_folder():
    """The model's process imports no settings: what it cannot import it cannot leak, and it starts sooner."""
    code = (
        f"import sys, importlib; importlib.import_module({client.ENTRY!r}); "
        "print(*sorted(n for n in sys.modules if n.startswith('src.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {name.split(".")[1] for name in done.stdout.split()} == {"model"}

"""Progress bars: on a terminal while long work lasts, and not a byte anywhere else."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import threading
import time

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from src.config import ROOT
from src.model import child
from src.system import progress
from tests.support.fake_hub import FakeHub, Fault

WORKS = "import time\nfrom src.model.child import report\nfor i in range(4):\n report(i, 4, f'part {i}')\n time.sleep(0.2)\nreport(4, 4)\n"


def on_a_terminal(command, env, cwd=ROOT, seconds=120):
    """Run a command whose standard error is a terminal: (exit status, standard output, what the terminal was sent)."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs
    )
    os.close(theirs)
    seen, deadline = b"", time.monotonic() + seconds
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # Linux: the other side is closed
                break
            if not chunk:
                break
            seen += chunk
    os.close(ours)
    out, _ = process.communicate(timeout=10)
    return process.returncode, out.decode(), seen.decode()


def env_for(tmp_path, **more):
    (tmp_path / "empty.env").touch(mode=0o600)
    return {
        "ENV_FILE": str(tmp_path / "empty.env"),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm",
        "COLUMNS": "120",
        "DATA_DIR": str(tmp_path / "data"),
        "LOG_DIR": str(tmp_path / "logs"),
        **more,
    }


@pytest.fixture
def module(tmp_path):
    """A module that works for a moment and reports, for `follow`."""
    (tmp_path / "works.py").write_text(WORKS)
    return f"import runpy, sys; from src.model import child; child.environment = lambda **_: {{'PATH': '/usr/bin:/bin', 'PYTHONPATH': '{ROOT}:{tmp_path}'}}; print(child.follow('working', 'works', seconds=20))"


def test_long_work_shows_how_far_it_is(module, tmp_path):
    """On a terminal: label, parts done, what is being done; gone at the end, and the result on standard output is clean."""
    status, out, seen = on_a_terminal([sys.executable, "-c", module], env_for(tmp_path))
    assert (status, out) == (0, "(0, '')\n"), seen
    assert "working" in seen
    assert "part 3" in seen
    assert "3/4" in seen
    assert seen.rstrip(" ").endswith("\r")


def test_nothing_without_a_terminal(module, tmp_path):
    """In a pipe, as under cron: not a byte, and the library that draws is not even imported."""
    code = module + "; print('tqdm' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=env_for(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("(0, '')\nFalse\n", "")


def test_no_standard_error(monkeypatch):
    """A closed standard error is no terminal."""
    monkeypatch.setattr(sys, "stderr", None)
    with progress.bar("x", 3) as shown:
        shown.update(1)
        shown.refresh()
        shown.set_postfix_str("y")
    assert isinstance(shown, progress.Silent)


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("raise SystemExit('no memory left')", 1, "no memory left"),
        ("import os; os.kill(os.getpid(), 9)", -9, ""),
        (
            "import time; print('{]'); print('[1]'); print('{\"step\": \"x\", \"steps\": 2}', flush=True); time.sleep(60)",
            None,
            "",
        ),
        ("import os, time; os.close(1); time.sleep(0.3)", 0, ""),
    ],
)
def test_what_became_of_the_work(monkeypatch, tmp_path, code, status, words):
    """The exit status and the last words of the work; None when it took too long and was stopped."""
    (tmp_path / "works.py").write_text(code)
    monkeypatch.setattr(
        child, "environment", lambda **_: {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)}
    )
    assert child.follow("working", "works", request="x" * 1_000_000, seconds=1 if status is None else 30) == (
        status,
        words,
    )


TINY = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "vocab_size": 32,
}


def test_a_download_shows_its_bytes(tmp_path):
    """`model update` on a terminal draws the download in bytes, with a time that is left; what failed is told below it."""
    words = Tokenizer(WordLevel({"?": 0, "a": 1}, unk_token="?"))
    words.pre_tokenizer = Whitespace()
    files = {
        "config.json": json.dumps(TINY).encode(),
        "tokenizer.json": words.to_str().encode(),
        "model.safetensors": b"x" * 1_500_000,
    }
    with FakeHub() as server:
        repo = server.add("owner/name", files)
        until = threading.Event()
        server.on("/storage/", Fault(until=until, spoil=True))
        threading.Timer(0.5, until.set).start()
        env = env_for(tmp_path, MODEL="owner/name", MODEL_REVISION=repo.revision, HF_ENDPOINT=server.url)
        status, out, seen = on_a_terminal(
            [sys.executable, "-m", "src.twitter_manager", "model", "update", "--json"], env
        )
    told = json.loads(out)
    assert (status, told["exit_code"], "(checksum)" in told["message"]) == (69, 69, True), (told, seen)
    assert re.search(r"downloading: +\d+%.*/1\.50M", seen)
    assert "(checksum)" in seen


def test_many_texts_show_how_many_are_written(tmp_path):
    """While the model writes for many statements (`drafts generate`, `evaluate`) each answer moves the bar."""
    script = "import time\nfor i in range(3):\n time.sleep(0.3)\n print(i, flush=True)\ntime.sleep(0.3)"
    code = (
        "import subprocess, sys; from src.model import client as m; real = subprocess.Popen; "
        f"m.subprocess.Popen = lambda command, **options: real([sys.executable, '-c', {script!r}], **options); from src import config; print(m.ModelProcess(config.load(), 20).__enter__().exchange(b'{{}}', 3))"
    )
    status, out, seen = on_a_terminal([sys.executable, "-c", code], env_for(tmp_path))
    assert (status, out) == (0, "(0, b'0\\n1\\n2\\n', b'')\n"), seen
    assert "writing" in seen
    assert "2/3" in seen
    assert (
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=env_for(tmp_path),
            capture_output=True,
            timeout=60,
            check=False,
        ).stderr
        == b""
    )

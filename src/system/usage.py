"""What this process and its children have used of the machine."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from pathlib import Path

from src.domain.runs import Metric

_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")
_RSS_UNITS_PER_MB = 1024 * 1024 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kibibytes


def peak_usage() -> dict[str, float]:
    """Return peak memory (MB) and processor time (seconds) of this process and of the model's."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    model_cpu = children.ru_utime + children.ru_stime
    measured: dict[str, float] = {
        Metric.PROGRAM_PEAK_MB: _megabytes(usage),
        Metric.CPU_SECONDS: round(usage.ru_utime + usage.ru_stime + model_cpu, 3),
    }
    if children.ru_maxrss:
        measured |= {
            Metric.MODEL_PEAK_MB: _megabytes(children),
            "model_cpu_seconds": round(model_cpu, 3),
        }
    return measured


def peak_of_children_mb() -> float:
    """Return the peak resident memory of the largest child process so far, megabytes."""
    return _megabytes(resource.getrusage(resource.RUSAGE_CHILDREN))


def peak_mb() -> float:
    """Return the peak resident memory of this process so far, megabytes."""
    return _megabytes(resource.getrusage(resource.RUSAGE_SELF))


def machine_memory_mb() -> int:
    """Return the memory of this machine, or of the container that this process runs in, in megabytes."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):  # no container, or no limit
        pages = min(pages, int(_CONTAINER_LIMIT.read_text(encoding="ascii")))
    return pages // 1_000_000


def _megabytes(usage: resource.struct_rusage) -> float:
    return round(usage.ru_maxrss / _RSS_UNITS_PER_MB, 1)

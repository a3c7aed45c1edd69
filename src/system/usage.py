"""What this process and its children have used of the machine."""

from __future__ import annotations

import resource

from src.domain.runs import Metric


def peak_usage() -> dict[str, float]:
    """Return peak memory (MB) and processor time (seconds) of this process and of the model's."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    model_cpu = children.ru_utime + children.ru_stime
    measured: dict[str, float] = {
        Metric.PROGRAM_PEAK_MB: round(usage.ru_maxrss / 1024, 1),
        Metric.CPU_SECONDS: round(usage.ru_utime + usage.ru_stime + model_cpu, 3),
    }
    if children.ru_maxrss:
        measured |= {
            Metric.MODEL_PEAK_MB: round(children.ru_maxrss / 1024, 1),
            "model_cpu_seconds": round(model_cpu, 3),
        }
    return measured

"""The report as numbers for the textfile collector of Prometheus' node_exporter."""

from __future__ import annotations

from src.config import Settings
from src.watch.health import exit_code
from src.watch.report.measures import Report, Spread

PREFIX = "twitter_manager"


def as_prometheus(report: Report, settings: Settings) -> str:
    """Prometheus' text format. Every series is a gauge: the file says how things stand when it is written."""
    from prometheus_client import CollectorRegistry, Gauge, generate_latest  # noqa: PLC0415

    registry = CollectorRegistry()

    def gauge(
        name: str, words: str, values: dict[tuple[str, ...], float | None], labels: tuple[str, ...] = ()
    ) -> None:
        family = Gauge(f"{PREFIX}_{name}", words, labels, registry=registry)
        for key, value in values.items():
            if value is not None:
                (family.labels(*key) if labels else family).set(value)

    facts, run = report.facts, report.facts.last_run
    one: tuple[str, ...] = ()
    gauge("healthy", "1 if nothing needs a person, else 0", {one: float(not report.reasons)})
    gauge("exit_code", "what `status` would exit with", {one: float(exit_code(report.reasons))})
    gauge(
        "reason", "1 for each thing that needs a person", {(r.name,): 1.0 for r in report.reasons}, ("name",)
    )
    gauge("written_timestamp_seconds", "when this was written", {one: report.now.timestamp()})
    for name, moment in (("last_post", facts.last_posted), ("last_run", run.started if run else None)):
        if moment:
            gauge(
                f"{name}_timestamp_seconds",
                f"start of the {name.replace('_', ' ')}",
                {one: moment.timestamp()},
            )
    gauge(
        "posts",
        "posts on record by state",
        {(s,): float(n) for s, n in report.posts_by_status.items()},
        ("status",),
    )
    gauge(
        "slots_posted",
        "slots with their post",
        {(w,): float(r.posted) for w, r in facts.rates.items()},
        ("window",),
    )
    gauge(
        "slots_due",
        "slots that should have a post",
        {(w,): float(r.due) for w, r in facts.rates.items()},
        ("window",),
    )
    gauge(
        "success_ratio",
        "slots posted of those due",
        {(w,): r.share for w, r in facts.rates.items()},
        ("window",),
    )
    gauge("failures_in_a_row", "latest runs that ended badly", {one: float(facts.failures)})
    gauge(
        "breaker_refusals_in_a_row",
        "refusals of account, app or money",
        {one: float(facts.breaker.count)},
    )
    gauge("unknown_posts", "posts whose outcome is not known", {one: float(len(facts.unknown))})
    gauge(
        "rate_limit_remaining",
        "requests left as X last told",
        {(w.name,): float(w.remaining) for w in facts.limits},
        ("window",),
    )
    gauge(
        "rate_limit_limit",
        "requests of the whole window",
        {(w.name,): float(w.limit) for w in facts.limits},
        ("window",),
    )
    gauge(
        "rate_limit_reset_timestamp_seconds",
        "when the window begins anew",
        {(w.name,): w.reset.timestamp() for w in facts.limits},
        ("window",),
    )
    gauge(
        "spend_usd",
        "spent at X, and this month's forecast",
        {("24h",): facts.spend.day, ("month",): facts.spend.month, ("month_forecast",): facts.spend.forecast},
        ("window",),
    )
    gauge(
        "budget_usd",
        "most to spend",
        {("24h",): settings.daily_budget_usd, ("month",): settings.monthly_budget_usd},
        ("window",),
    )
    gauge(
        "library_statements",
        "statements",
        {("all",): float(facts.library.total), ("fresh",): float(facts.library.fresh)},
        ("kind",),
    )
    gauge(
        "library_days_left",
        "days until no statement is fresh",
        {one: float("inf") if facts.library.days is None else facts.library.days},
    )
    gauge(
        "openings",
        "openings by the model",
        {("judged",): float(report.judged), ("taken",): float(report.taken)},
        ("kind",),
    )
    gauge(
        "openings_refused",
        "openings refused, by gate",
        {(reason,): float(n) for reason, n in report.refused.items()},
        ("gate",),
    )
    measures, at = report.measures, ("quantile",)
    gauge(
        "phase_seconds",
        "time of the parts of runs that posted",
        {
            (phase, *key): value
            for phase, found in measures.phases.items()
            for key, value in _quantiles(found).items()
        },
        ("phase", *at),
    )
    gauge("answer_seconds", "time of X's answer to a post", _quantiles(measures.latency_ms, 0.001), at)
    gauge(
        "processor_seconds",
        "processor time of runs that posted, the model's included",
        _quantiles(measures.processor),
        at,
    )
    gauge("tokens_per_second", "speed of the model", _quantiles(measures.tokens_per_second), at)
    gauge(
        "peak_memory_bytes",
        "largest resident memory",
        {
            (process,): found.top * 2**20
            for process, found in (("program", measures.program_mb), ("model", measures.model_mb))
            if found
        },
        ("process",),
    )
    if run:
        gauge("last_run_cost_usd", "what the last run spent at X", {one: run.metrics.get("cost_usd", 0.0)})
        gauge(
            "last_run_exit_code",
            "how the last run ended",
            {one: None if run.exit_code is None else float(run.exit_code)},
        )
    return generate_latest(registry).decode()


def _quantiles(found: Spread | None, unit: float = 1.0) -> dict[tuple[str, ...], float | None]:
    return (
        {("0.5",): found.middle * unit, ("0.95",): found.high * unit, ("1",): found.top * unit}
        if found
        else {}
    )

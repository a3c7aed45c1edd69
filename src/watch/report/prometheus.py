"""The report as numbers for the textfile collector of Prometheus' node_exporter."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from src.config import Settings
from src.domain.runs import Metric
from src.posting.breaker import CLOSED
from src.watch.health import exit_code
from src.watch.overview import Overview
from src.watch.report.measures import PostingReport, Spread

PREFIX = "twitter_manager"
Values = Mapping[tuple[str, ...], float | None]
Add = Callable[[str, str, Values, tuple[str, ...]], None]
_ONE: tuple[str, ...] = ()  # the key of a number without labels


def as_prometheus(report: PostingReport, settings: Settings) -> str:
    """Return Prometheus' text format. Every series is a gauge: it holds the value at the time of writing."""
    from prometheus_client import CollectorRegistry, Gauge, generate_latest  # noqa: PLC0415

    registry = CollectorRegistry()

    def add(name: str, help_text: str, values: Values, labels: tuple[str, ...]) -> None:
        whose = {"profile": settings.profile} if settings.profile else {}
        family = Gauge(f"{PREFIX}_{name}", help_text, (*whose, *labels), registry=registry)
        for key, value in values.items():
            if value is not None:
                marks = (*whose.values(), *key)
                (family.labels(*marks) if marks else family).set(value)

    _add_health(add, report)
    _add_times(add, report)
    _add_posts(add, report)
    _add_limits(add, report.overview)
    _add_money_and_library(add, report.overview, settings)
    _add_openings(add, report)
    _add_measures(add, report)
    _add_last_run(add, report.overview)
    return generate_latest(registry).decode()


def _add_health(add: Add, report: PostingReport) -> None:
    facts, findings = report.overview.facts, report.findings
    breaker = facts.breaker or CLOSED
    add("healthy", "1 if nothing needs a person, else 0", {_ONE: float(exit_code(findings) == 0)}, ())
    add(
        "paused", "1 while the owner has paused, else 0", {_ONE: float(report.overview.pause is not None)}, ()
    )
    add("exit_code", "the exit code of the command status", {_ONE: float(exit_code(findings))}, ())
    add("reason", "1 for each thing that needs a person", {(f.code,): 1.0 for f in findings}, ("name",))
    add("failures_in_a_row", "latest runs that ended badly", {_ONE: float(facts.failures or 0)}, ())
    add("breaker_refusals_in_a_row", "refusals of account, app or money", {_ONE: float(breaker.count)}, ())
    add("unknown_posts", "posts whose outcome is not known", {_ONE: float(len(facts.unknown or ()))}, ())


def _add_times(add: Add, report: PostingReport) -> None:
    last_posted, run = report.overview.facts.last_posted, report.overview.last_run
    add("written_timestamp_seconds", "when this was written", {_ONE: report.now.timestamp()}, ())
    if last_posted:
        add("last_post_timestamp_seconds", "start of the last post", {_ONE: last_posted.timestamp()}, ())
    if run:
        add("last_run_timestamp_seconds", "start of the last run", {_ONE: run.started.timestamp()}, ())


def _add_posts(add: Add, report: PostingReport) -> None:
    by_status: Values = {(status,): float(count) for status, count in report.posts_by_status.items()}
    add("posts", "posts on record by state", by_status, ("status",))
    rates, window = report.overview.rates, ("window",)
    add("slots_posted", "slots with their post", {(w,): float(r.posted) for w, r in rates.items()}, window)
    add("slots_due", "slots that should have a post", {(w,): float(r.due) for w, r in rates.items()}, window)
    add("success_ratio", "slots posted of those due", {(w,): r.share for w, r in rates.items()}, window)


def _add_limits(add: Add, overview: Overview) -> None:
    limits, window = overview.limits, ("window",)
    left: Values = {(limit.name,): float(limit.remaining) for limit in limits}
    add("rate_limit_remaining", "requests left as X last reported", left, window)
    whole: Values = {(limit.name,): float(limit.limit) for limit in limits}
    add("rate_limit_limit", "requests of the whole window", whole, window)
    resets: Values = {(limit.name,): limit.reset.timestamp() for limit in limits}
    add("rate_limit_reset_timestamp_seconds", "when the window begins anew", resets, window)


def _add_money_and_library(add: Add, overview: Overview, settings: Settings) -> None:
    spend, left = overview.spend, overview.library
    spent: Values = {("24h",): spend.day, ("month",): spend.month, ("month_forecast",): spend.forecast}
    add("spend_usd", "spent at X, and this month's forecast", spent, ("window",))
    budgets: Values = {("24h",): settings.daily_budget_usd, ("month",): settings.monthly_budget_usd}
    add("budget_usd", "most to spend", budgets, ("window",))
    statements: Values = {("all",): float(left.total), ("fresh",): float(left.fresh)}
    add("library_statements", "statements", statements, ("kind",))
    days = float("inf") if left.days is None else left.days
    add("library_days_left", "days until a slot first stays empty", {_ONE: days}, ())


def _add_openings(add: Add, report: PostingReport) -> None:
    openings: Values = {("judged",): float(report.judged), ("taken",): float(report.taken)}
    add("openings", "openings by the model", openings, ("kind",))
    refused: Values = {(gate,): float(count) for gate, count in report.refused.items()}
    add("openings_refused", "openings refused, by gate", refused, ("gate",))


def _add_measures(add: Add, report: PostingReport) -> None:
    measures, at = report.measures, ("quantile",)
    phases: Values = {
        (phase, *key): value
        for phase, spread in measures.phases.items()
        for key, value in _quantiles(spread).items()
    }
    add("phase_seconds", "time of the parts of runs that posted", phases, ("phase", *at))
    add("answer_seconds", "time of X's answer to a post", _quantiles(measures.latency_ms, 0.001), at)
    processor = _quantiles(measures.processor)
    add("processor_seconds", "processor time of runs that posted, the model's included", processor, at)
    add("tokens_per_second", "speed of the model", _quantiles(measures.tokens_per_second), at)
    peaks: Values = {
        (process,): spread.top * 2**20
        for process, spread in (("program", measures.program_mb), ("model", measures.model_mb))
        if spread
    }
    add("peak_memory_bytes", "largest resident memory", peaks, ("process",))


def _add_last_run(add: Add, overview: Overview) -> None:
    run = overview.last_run
    if run is None:
        return
    cost = run.metrics.get(Metric.COST_USD, 0.0)
    add("last_run_cost_usd", "what the last run spent at X", {_ONE: cost}, ())
    code = None if run.exit_code is None else float(run.exit_code)
    add("last_run_exit_code", "how the last run ended", {_ONE: code}, ())


def _quantiles(spread: Spread | None, unit: float = 1.0) -> dict[tuple[str, ...], float | None]:
    if spread is None:
        return {}
    return {("0.5",): spread.middle * unit, ("0.95",): spread.high * unit, ("1",): spread.top * unit}

"""Send one claimed text: record the intent, POST once, settle. Retry only what provably never left."""

from __future__ import annotations

from src.domain.answers import NOT_BILLED, Outcome, SendResult
from src.domain.posts import Post
from src.domain.runs import Metric, limit_left_metric
from src.posting.due import price_of
from src.posting.reconcile import settle_now
from src.posting.run import NETWORK_SECONDS, Run
from src.system.failpoints import reach
from src.system.interrupts import signals_blocked
from src.system.log import logger

SEND_TRIES = 3


def send(run: Run, post: Post) -> tuple[Post, SendResult]:
    """Send a claimed text, and look for it if it may be on X already; return post and answer."""
    run.phase("send")
    result = _send_with_retries(run, post.id)
    post = run.db.post(post.id)
    if result.outcome in {Outcome.UNKNOWN, Outcome.DUPLICATE}:
        post = settle_now(run, post)
    return post, result


def _send_with_retries(run: Run, post_id: int) -> SendResult:
    from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random  # noqa: PLC0415

    retrying = Retrying(
        stop=stop_after_attempt(SEND_TRIES),
        wait=wait_random(max=run.settings.retry_wait_seconds),
        retry=retry_if_result(
            lambda r: r.outcome is Outcome.NOT_SENT and run.seconds_left() > NETWORK_SECONDS / 2
        ),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        sleep=run.clock.sleep,
    )
    result: SendResult = retrying(_send_once, run, post_id)
    return result


def _send_once(run: Run, post_id: int) -> SendResult:
    """Commit the intent, POST, commit the answer; between the commits nothing may raise, and signals wait."""
    post = run.db.post(post_id)
    price = price_of(post.content, run.settings)
    with signals_blocked():
        attempt = run.db.begin_send(post, run.run_id, run.clock.now())
        if attempt is None:
            return SendResult(Outcome.UNKNOWN, reason="taken", detail="another run has this post")
        reach("send.before")
        result = run.account.send(post.content)
        reach("send.after")
        if result.tweet_id and run.db.tweets.known_among([result.tweet_id]):
            result = SendResult(
                Outcome.UNKNOWN,
                http_status=result.http_status,
                reason="tweet-id-taken",
                detail=str(result.tweet_id),
            )
        run.db.settle(post, attempt, result, run.clock.now(), price)
    if not run.preview:  # a dry run sends nothing, so its log tells of no send
        _log(post, result)
    _measure(run, result, price)
    if result.limits:
        run.db.notes.put_limits(result.limits)
    return result


def _log(post: Post, result: SendResult) -> None:
    level = logger.info if result.outcome is Outcome.POSTED else logger.warning
    level(
        "send",
        extra={
            "post_id": post.id,
            "outcome": result.outcome,
            "http_status": result.http_status,
            "reason": result.reason,
            "detail": result.detail,
            "latency_ms": result.latency_ms,
            "transaction_id": result.transaction_id,
        },
    )


def _measure(run: Run, result: SendResult, price: float) -> None:
    run.add("attempts")
    run.metrics["send_ms"] = result.latency_ms
    run.metrics["http_status"] = 0 if result.http_status is None else result.http_status
    if result.outcome not in NOT_BILLED:
        run.add(Metric.COST_USD, price)
    for window in result.limits:
        run.metrics[f"{window.name}-remaining"] = window.remaining
        if window.limit:
            run.metrics[limit_left_metric(window.name)] = round(window.remaining / window.limit, 4)

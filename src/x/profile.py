"""X's answer to the question which account this is."""

from __future__ import annotations

from src.domain.answers import Profile
from src.x import account_name
from src.x.responses import json_object


def read_profile(status: int, body: str) -> Profile:
    """Return the name of a user and how many tweets X counts, as far as its answer says so."""
    answer = json_object(body) if status == 200 else None
    data = answer.get("data") if answer else None
    if not isinstance(data, dict):
        return Profile()
    metrics = data.get("public_metrics")
    count = metrics.get("tweet_count") if isinstance(metrics, dict) else None
    return Profile(
        account_name.checked(data.get("username")), count if type(count) is int and count >= 0 else None
    )

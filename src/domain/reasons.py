"""The words for each reason to refuse a text, and for each answer of X: codes are for programs and counts.

A sentence may say what the reason is about in the place of `{}`. Without a place for it, or without a detail,
it stands alone.
"""

from __future__ import annotations

import re

_SENTENCES = {
    "blocklist": "a word of the blocklist: {}",
    "cashtag": "X makes a cashtag of this: {}",
    "chat": "it reads like a chat with a model: {}",
    "echo": "the opening gives the text below it away",
    "empty": "the text is empty",
    "forbidden-character": "characters that may not stand in a tweet: {}",
    "foreign-number": "a number that the statement does not have: {}",
    "foreign-term": "a name or term that the statement does not have: {}",
    "harmful-command": "a command that hurts whoever pastes it: {}",
    "hashtag": "more hashtags than are allowed: {}",
    "incomplete": "it is no whole sentence: {}",
    "link": "X makes a link of this: {}",
    "lost-number": "a number of the statement is missing: {}",
    "lost-term": "a term of the statement is missing: {}",
    "mention": "it mentions somebody: {}",
    "near-duplicate": "too much like a text of the last weeks",
    "negation": "it has more or fewer negations than the statement",
    "not-a-question": "a question mark stands behind what is no question",
    "repetition": "it repeats itself",
    "secret": "it looks like a password or a key",
    "stale-opening": "too much like an opening of the last weeks",
    "strange-words": "words that the statement does not have: {}",
    "too-long": "it is too long: {}",
    "too-short": "it is too short",
    "white-space": "line breaks or spaces stand where they may not",
}

_ANSWERS = {
    "already-gone": "the tweet was gone already",
    "app-only-token": "the token is the app's, not the account's",
    "client-refused": "X does not know this app",
    "clock": "the clocks of X and of this machine differ",
    "daily-limit": "the account's posts of a day are used up",
    "duplicate": "X says that it has this text already",
    "invalid-request": "the request is not valid",
    "locked": "the account is locked",
    "login-ended": "the login has ended",
    "looks-automated": "it looks automated to X",
    "malformed-timeline": "its timeline cannot be read",
    "malformed-tweets": "its tweets cannot be read",
    "no-credits": "no credits are left",
    "no-tweet-id": "the answer names no tweet",
    "not-enrolled": "the plan of the app does not allow it",
    "odd-tweet-id": "the answer names a tweet of another time",
    "rate-limited": "too many requests",
    "read-only-token": "the token may read, but not write",
    "suspended": "the account is suspended",
    "taken": "another run has this post",
    "text-refused": "it does not take this text",
    "tweet-id-taken": "the answer names the tweet of another post",
    "unauthorized": "it does not accept the keys",
    "usage-capped": "the posts of the plan are used up",
}


def sentence(code: str, detail: str = "") -> str:
    """Return why a text was refused in words; a code of another version stands for itself."""
    words = _SENTENCES.get(code, f"{code}: {{}}")
    return words.replace("{}", detail) if detail else words.partition(": {}")[0]


def of_answer(code: str, detail: str = "") -> str:
    """Return how an exchange with X ended in words, with what X said itself where that says more."""
    words = _ANSWERS.get(code) or _plain(code)
    return words if not detail or detail.casefold() == words.casefold() else f"{words}: {detail}"


def _plain(code: str) -> str:
    """Return the words in a code: `http-503` is HTTP 503, an exception's `ConnectTimeout` connect timeout."""
    if " " in code:  # words already
        return code
    if "-" in code:
        return code.replace("http-", "HTTP ").replace("-", " ")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", code).lower()

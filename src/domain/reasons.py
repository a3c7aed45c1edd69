"""The words for each reason to refuse a text: the codes of the gates are for programs and counts.

A sentence may say what the reason is about in the place of `{}`. Without a place for it, or without a detail,
it stands alone.
"""

from __future__ import annotations

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


def sentence(code: str, detail: str = "") -> str:
    """Return why a text was refused in words; a code of another version stands for itself."""
    words = _SENTENCES.get(code, f"{code}: {{}}")
    return words.replace("{}", detail) if detail else words.partition(": {}")[0]

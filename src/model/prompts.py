"""The prompts: what the model reads before it writes."""

from __future__ import annotations

_EXAMPLES = (
    (
        "git reflog records where HEAD has been, so you can find a commit again after a bad reset.",
        "Lost a commit after a reset?",
    ),
    (
        "A .dockerignore file keeps folders such as node_modules out of the build context.",
        "Why is the docker build so slow?",
    ),
    (
        "In SQL, NULL = NULL is not true but unknown, so use IS NULL to find missing values.",
        "Why does the query miss the empty rows?",
    ),
)
_REWRITES = (
    (
        "git reflog records where HEAD has been, so you can find a commit again after a bad reset.",
        "Bad reset? git reflog still knows where HEAD has been, so the commit can be found again.",
    ),
    (
        "In SQL, NULL = NULL is not true but unknown, so use IS NULL to find missing values.",
        "In SQL, NULL = NULL is unknown, not true. Use IS NULL to find missing values.",
    ),
)


def prompt_for(text: str, *, tuned: bool, mode: str = "hook") -> str:
    """Return what the model reads. A tuned model needs the bare statement; others are shown examples.

    `hook` asks for an opening, `rewrite` for the statement in other words, `free` for a tip on the topic
    `text`.
    """
    if mode == "free":
        return (
            f"Tweets with one precise, true and useful tip for software developers.\n\nTopic: {text}\nTweet:"
        )
    if mode == "rewrite":
        shown = "".join(f"Fact: {fact}\nTweet: {tweet}\n\n" for fact, tweet in _REWRITES)
        return f"{shown}Fact: {text}\nTweet:"
    if tuned:
        return f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
    shown = "".join(f"Fact: {fact}\nQuestion: {opening}\n\n" for fact, opening in _EXAMPLES)
    return f"{shown}Fact: {text}\nQuestion:"

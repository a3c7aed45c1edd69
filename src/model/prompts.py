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


_TASKS = {
    "hook": (
        "You write the opening line of a tweet for software developers. You get a fact. Answer with one "
        "short question or sentence of at most twelve words that makes a reader want to know the fact. It "
        "does not give the fact away and claims nothing that the fact does not say. Answer with that line "
        "alone: no quotation marks, no list, no explanation."
    ),
    "rewrite": (
        "You reword a fact as one tweet for software developers. Keep every name, number and condition, "
        "and claim nothing that the fact does not say. Answer with the tweet alone, on one line, of at most "
        "40 words: no quotation marks, no list, no hashtags, no links."
    ),
    "free": (
        "You write one tweet for software developers about the topic that you get: one precise, true and "
        "useful tip. Answer with the tweet alone, on one line, of at most 40 words: no quotation marks, no "
        "list, no hashtags, no links."
    ),
}
_SHOWN = {"hook": _EXAMPLES, "rewrite": _REWRITES, "free": ()}
NO_STATEMENT = "Software developers write, test and run programs."


def system_text(mode: str, voice: str = "") -> str:
    """Return what a model with a chat template is told once: the task, the owner's voice, examples."""
    parts = [_TASKS[mode]]
    if voice:
        parts.append(f"Write in this voice: {voice}")
    parts += [f"Example.\n{given}\nAnswer: {answer}" for given, answer in _SHOWN[mode]]
    return "\n\n".join(parts)

"""`queue review`: one draft at a time, with its length, verdict and expected time; one letter decides."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from pathlib import Path

from src import config
from src.commands import texts
from src.commands.command import Context
from src.commands.result import Result, clean
from src.content.intake import composed, read_file
from src.content.tweet_text import MAX_WEIGHT, weighted_length
from src.db_manager import Database
from src.domain.errors import UsageError
from src.domain.fixes import Fix, command
from src.domain.plurals import numbered
from src.domain.posts import Post, Status
from src.posting.plan import plan
from src.system import terminal
from src.x.claim import fix_text

QUESTION = "[a]pprove, [e]dit, [r]eject, [l]ater, [q]uit? "


def run(context: Context) -> Result:
    """Go through the drafts. The lock is held only while one is changed, so that runs go on meanwhile."""
    with context.locked_database() as db:
        waiting = [post.id for post in db.with_status(Status.DRAFT)]
    counts = {"approved": 0, "rejected": 0, "edited": 0}
    later = 0
    for number, post_id in enumerate(waiting, 1):
        while True:
            with context.locked_database() as db:
                post = db.find_post(post_id)
                if post is None or post.status is not Status.DRAFT:
                    break
                shown = _shown(context, db, post, f"{number} of {len(waiting)}")
            terminal.write(clean(shown), aside=context.options.json)
            answer = terminal.ask(QUESTION, aside=context.options.json).lower()[:1]
            if answer in {"q", ""}:
                return _ended(context, counts, len(waiting) - number + 1 + later)
            if answer == "l":
                later += 1
                break
            if answer in {"a", "r"} and _decide(context, post_id, answer):
                counts["approved" if answer == "a" else "rejected"] += 1
                break
            if answer == "e" and _edit(context, post):
                counts["edited"] += 1
    return _ended(context, counts, later)


def _shown(context: Context, db: Database, post: Post, which: str) -> str:
    """Return a draft with what one needs to know to decide."""
    verdict = texts.judged(context, db, post.content, own=post)
    words = "passes every gate" if verdict.passed else f"refused: {'; '.join(verdict.explained)}"
    queued = plan(db, context.settings, context.now)
    after = next((item.at for item in reversed(queued) if item.at), None)
    when = f"after {context.settings.shown(after)}" if after else "in the next free slot"
    weight = weighted_length(post.content)
    return (
        f"\n{which}, draft {post.id}, {weight} of {MAX_WEIGHT}; {words}; goes out {when}\n\n{post.content}\n"
    )


def _decide(context: Context, post_id: int, answer: str) -> bool:
    """Approve or reject; say why not, where that is refused."""
    change = texts.approve if answer == "a" else texts.reject
    try:
        with context.locked_database() as db:
            words = change(context, db, texts.find(db, post_id))
    except UsageError as error:
        terminal.write(clean(f"{error}"), aside=context.options.json)
        return False
    terminal.write(f"draft {post_id} {words}", aside=context.options.json)
    return True


def _edit(context: Context, post: Post) -> bool:
    """Let the owner change the text in an editor; say why not, where the new one is refused."""
    text = edited(config.editor(), post.content, aside=context.options.json)
    if text == post.content:
        return False
    try:
        with context.locked_database() as db:
            texts.edit(context, db, texts.find(db, post.id), text)
    except UsageError as error:
        terminal.write(clean(f"{error}"), aside=context.options.json)
        return False
    return True


def edited(editor: str, text: str, *, aside: bool = False) -> str:
    """Return a text as the owner left it in the editor, the same one where the editor fails."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tweet.txt"
        file.write_text(text + "\n", encoding="utf-8")
        try:
            done = subprocess.run([*shlex.split(editor), str(file)], check=False)
        except OSError as error:
            terminal.write(f"{editor} cannot be started: {error.strerror}", aside=aside)
            return text
        return composed(read_file(file).strip()) if done.returncode == 0 else text


def _ended(context: Context, counts: dict[str, int], left: int) -> Result:
    told = ", ".join(f"{number} {name}" for name, number in counts.items() if number) or "nothing was changed"
    more = f"; {numbered(left, 'draft waits', 'drafts wait')}" if left else ""
    lists = fix_text(Fix("; ", command("queue"), " shows what goes out next"), context.settings.profile)
    return Result({**counts, "left": left}, f"{told}{more}{lists}")

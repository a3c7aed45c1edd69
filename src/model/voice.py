"""The owner's VOICE: how a model with a chat template shall write, as a text or as a file that holds it."""

from __future__ import annotations

from pathlib import Path

from src.config import ROOT, Settings
from src.domain.errors import ModelError
from src.domain.fixes import Fix, env_file
from src.system.files import absolute, read_regular, reason_of
from src.system.model_settings import MAX_VOICE

_SUFFIXES = {".txt", ".md"}
_MAX_BYTES = 1_000_000


def voice_of(settings: Settings) -> str:
    """Return the text that VOICE gives or names a file of, empty for none. Raise `ModelError`.

    A voice that cannot be read costs no tweet: the vetted text goes out.
    """
    if not _names_a_file(settings.voice):
        return settings.voice
    try:
        file = absolute(Path(settings.voice), ROOT)
        text = read_regular(file, _MAX_BYTES).strip()
    except (OSError, ValueError) as error:
        message = f"VOICE={settings.voice} cannot be read: {reason_of(error)}"
        fix = Fix(
            "name a text file (UTF-8) that this user may read, or write the text itself into ", env_file()
        )
        raise ModelError(message, fix) from error
    if len(text) > MAX_VOICE:
        message = f"VOICE: {file} has more than {MAX_VOICE:,} characters"
        raise ModelError(message, Fix("shorten it: the model reads it before every text"))
    return text


def _names_a_file(voice: str) -> bool:
    """Return whether VOICE is one word with the ending of a text file or the path of anything."""
    is_word = bool(voice) and not any(c.isspace() for c in voice)
    return is_word and (Path(voice).suffix.lower() in _SUFFIXES or voice.startswith(("/", "./", "~/")))

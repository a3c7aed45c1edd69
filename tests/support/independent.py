"""X's hard rules, written a second time and differently, to check the program's own code."""

import re
import unicodedata

from tests.support.tlds import ALL


def hard_problems(text: str) -> list[str]:
    """Return what X would not take, or would link, bill or notify for."""
    found = []
    if length(text) > 280:
        found.append("length")
    for word in re.split(r"[^\w.\-]+", text):
        parts = word.lower().strip(".-_").split(".")
        found += [
            f"link {word}"
            for left, right in zip(parts, parts[1:])
            if left and right in ALL and not left.endswith("_")
        ]
    if "://" in text:
        found.append("link")
    if "@" in text or "＠" in text:
        found.append("mention")
    found += [f"control {c!r}" for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf")]
    return found


def length(text: str) -> int:
    """Weighted length for texts without emoji sequences and links: an upper bound with them."""
    total = 0
    for character in unicodedata.normalize("NFC", text):
        code = ord(character)
        light = code <= 4351 or 8192 <= code <= 8205 or 8208 <= code <= 8223 or 8242 <= code <= 8247
        total += 1 if light else 2
    return total

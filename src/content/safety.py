"""What no text may contain, whoever wrote it.

That is links, mentions, chat, prompt injection, harmful commands, secrets and bad words. Pure functions.
`reasons` yields the reason codes of a text; the gates of `gates.py` build on it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path

from src.config import ROOT
from src.content.tweet_text import (
    canonical,
    find_cashtags,
    find_forbidden_characters,
    find_hashtags,
    find_links,
    find_mentions,
)
from src.domain.errors import ConfigError

_BLOCKLIST_FILE = ROOT / "data" / "blocklist.txt"
# Digits and signs that stand for letters; 1 and | are read both ways.
_LEET = tuple(str.maketrans("0134567@$!|+€", f"o{one}easgtas{one}{one}te") for one in "il")
_TURNED = str.maketrans("ɐɔǝɟƃᴉɾʞɯɹʇʌʍʎɥnu", "acefgijkmrtvwyhun")  # upside down
_LETTERS_AND_SIGNS = re.compile(r"[a-z0-9@$!|+€]+(?:[-_.*][a-z0-9@$!|+€]+)*")


def _any_of(*patterns: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile("|".join(patterns), flags)


# What a model says to the person it talks with, and the marks it formats with. Read line by line.
_CHAT = _any_of(
    r"^(?:sure|certainly|of course|okay|ok|here(?:'s| is| are)|absolutely|great question|let me"
    r"|i can|i'd|i will|note)\b[,:! ]",
    r"\bas an? (?:ai|language model|assistant)\b",
    r"\bi(?:'m| am) (?:sorry|unable|an? ai|not able)\b",
    r"\bi (?:cannot|can't|won't)\b",
    r"^\W*(?:system|developer|assistant|user|human|ai|question|answer|tweet|opening|fact|statement|output|prompt|instructions?)\W?\s*:",
    r"^\s*(?:[-*>]|\#{1,6})\s",  # lists, quotes, headings
    r"```",
    r"(?<![\w*])\*\*(?=[^\s*/])[^*\n]*[^\s*]\*\*(?!\w)",  # **bold**, but not 2**8 and a/**/b
    r"(?<!\w)__[^\W_]+\s[^_]*[^\s_]__(?!\w)",  # __bold words__, but not __init__
    r"(?<![\w)\]])\[[^\[\]]*\]\([^\s()]+\)",  # [words](address), but not f[0](x)
)
# What a text says to a model that reads it, from a library file or a fine-tuning set of unknown origin.
_INJECTION = _any_of(
    # "ignore all previous instructions", "don't follow the system prompt"
    r"\b(?:ignore|disregard|forget|override|bypass|skip|drop|set aside"
    r"|(?:stop|not|don't|never) (?:follow|obey)(?:ing)?)\s+"
    r"(?:(?:all|any|the|these|those|your|my|of|everything)\s+)*"
    r"(?:(?:previous|prior|above|earlier|preceding|former|system|safety|content|original)\s+"
    r"|(?<=your )|(?<=all of the )|(?<=my ))+"
    r"(?:and\s+\w+\s+)?"
    r"(?:instructions?|prompts?|rules?|guidelines?|guidance|directions?|orders|messages?|context|text|filters?|statements?|everything)\b",
    r"\b(?:ignore|disregard|forget)\s+(?:all\s+|any\s+|the\s+)?"
    r"(?:everything|instructions|(?:that|what) came |what (?:you were|i) )",
    # another role
    r"\b(?:you are now|from now on|pretend (?:to be|you|that you)"
    r"|act as (?:an? )?(?:unrestricted|evil|dan|root|admin|if you))",
    r"\b(?:jailbreak|developer mode|do anything now)",
    # other instructions
    r"\bnew (?:instructions?|task|(?:system )?prompt)\s*:",
    r"\b(?:previous|prior|earlier) (?:instructions|prompt|guidelines) (?:no longer|do(?:es)? not|are void)",
    r"\b(?:your|these are your|follow these) (?:new |real )?instructions",
    # the prompt itself
    r"\b(?:your (?:system|hidden|initial) prompt|the hidden prompt)",
    r"\b(?:reveal|print|show|repeat|leak|output|tell me) (?:me )?(?:your|the (?:system|hidden|above)) "
    r"(?:prompt|instructions|message|text|rules|secret)",
    # words put into its mouth
    r"\b(?:respond|reply|answer|write|output|tweet|say) (?:only|exactly|nothing but)\b",
    r"\b(?:repeat after me|tweet (?:this|the following)\b"
    r"|(?:post|write) the following (?:text|tweet|message|link))",
    # the same in other languages
    r"\b(?:ignorier\w* alle|oublie[zr]? (?:toutes )?les|ignora (?:todas )?las|игнорируй|忽略)",
    # the marks of chat templates
    r"<\|",
    r"\w\|>",
    r"<<\W?sys",
    r"(?<!\w)\[/?(?:inst|system|user|assistant|tool_calls?)\]",
    r"</?s>",
    r"</?(?:system|user|assistant|human|tool\w*|function\w*|think(?:ing)?|start_of_turn|end_of_turn|bos|eos|instructions?|prompt|invoke|antml\w*|im_start|im_end)\b[^<]*>",
    # markup with an effect
    r"<!--",
    r"</\w+\s*>",
    r"<(?:script|iframe|object|embed|meta|link|svg|style|form|base)\b[^<]*[>=]",
    r"<[a-z]+\s[^<>]*=[^<>]*>?",
    r"\bon(?:error|load|click|mouseover)\s*=",
    # calls of tools
    r"[\"'](?:tool|function|tool_calls?|function_call|arguments|recipient_name)[\"']\s*:",
    r"[\"']role[\"']\s*:\s*[\"'](?:system|assistant)\b",
)
# Commands that hurt whoever pastes them.
_HARMFUL = _any_of(
    # files
    r"\brm\s+(?:-[\w-]+\s+)*-[\w-]*[rf][\w-]*\s+(?:-[\w-]+\s+)*"
    r"(?:[\"']?[/~*$%]|\.{1,2}(?:/\.\.)*(?:/\*|/?(?:[\s\"';&|]|$))|\.git\b)",
    r"--no-preserve-root",
    r"\bmv\s+\S+\s+/dev/null",
    r"\bfind\s+/\s[^\n]*-delete",
    r"\brmtree\(\s*[\"'][/~]",
    r"\bdel\s+/[fsq]\b",
    r"\brd\s+/s\b",
    r"\bremove-item\b[^\n]*-recurse",
    r"vssadmin\s+delete",
    # disks and devices
    r"\bdd\b[^\n]*\bof=/dev/",
    r"\bmkfs(?:\.|\b)",
    r">\s*/dev/(?:sd|hd|nvme|vd|mem|kmem)",
    r"\btruncate\b[^\n]*\s/dev/",
    r"\bwipefs\b",
    r"\bshred\s+\S*\s*/dev/",
    r"\bformat\s+c:",
    r"\byes\s*>\s*/",
    # downloads that are run unread, and ways in
    r"\b(?:curl|wget|fetch|iwr|irm|base64|echo|xxd|openssl)\b[^\n]*\|\s*(?:sudo\s+)?"
    r"(?:(?:ba|z|k|da|fi)?sh|python\d?|perl|ruby|node|php|iex)\b",
    r"\b(?:ba|z)?sh\s+(?:-c\s+)?[\"']?(?:<\(|\$\()\s*(?:curl|wget)",
    r"\b(?:eval|source)\s+[\"'<]?[$(]?\(\s*(?:curl|wget)",
    r"\biex\s*\(",
    r"invoke-expression",
    r"\bpowershell\b[^\n]*-e(?:nc|c)",
    r"os\.system\(",
    r"/dev/tcp/",
    r"\bnc\b[^\n]*\s-\w*e\s",
    r"\bdocker\b[^\n]*-v\s+/:",
    # fork bombs, and what stops everything
    r"(?P<bomb>\w+|:)\s*\(\s*\)\s*\{\s*(?P=bomb)\s*\|\s*(?P=bomb)\s*&",
    r"%0\s*\|\s*%0",
    r"\bkill\s+-9\s+-1\b",
    # rights, traces, data
    r"\bch(?:mod|own)\s+(?=[^\n]*-\w*R)(?:-?\w+\s+)+[/~](?:\s|$|\W)",
    r"\bchmod\s+777\s+-R\b",
    r"\bsudo\s+(?:rm|dd|su)\b",
    r"\bhistory\s+-c\b",
    r"\bcrontab\s+-r\b",
    r"['\"]\s*;\s*(?:drop|delete|truncate)\s",
)
# Keys by the forms of their makers, then what is named like one, then what looks like a key or a card number.
_SECRET = _any_of(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{12,}",
    r"\bgh[pousr]_\w{16,}",
    r"\bgithub_pat_\w{16,}",
    r"\bglpat-[\w-]{16,}",
    r"\bxox[abprs]-[\w-]{8,}",
    r"\b[sprw]k[-_](?:live|test|proj|ant|or)?[-_]?[A-Za-z0-9-]{16,}",
    r"\bAIza[\w-]{20,}",
    r"\beyJ[\w-]{8,}\.eyJ[\w-]*",
    r"-----BEGIN [A-Z ]*(?:PRIVATE KEY|CERTIFICATE)",
    r"\bssh-(?:rsa|ed25519) AAAA",
    r"\bnpm_\w{30,}",
    r"\bhf_\w{20,}",
    r"\bSG\.[\w-]{16,}",
    r"\bAAAAAAAAAA[\w%]{20,}",
    r"\bpypi-AgE\w+",
    r"\b(?i:\w*(?:password|passwd|pwd|secret|api_?key|access_?token|access_?key|private_?key|bearer))\b"
    r"[\"']?\s*(?::|=|\s)\s*[\"']?(?=[^\s\"']*\d)(?=[^\s\"']*[A-Za-z])[^\s\"'(){}<>,]{8,}",
    r"\b(?=\w*\d)(?=\w*[a-z])(?=\w*[A-Z])(?!\w*_)\w{32,}",
    r"\b\d{4}(?:[ -]\d{4}){3}\b",
    flags=0,
)


def reasons(text: str, extra_words: Collection[str] = (), hashtags_allowed: int = 0) -> Iterator[str]:
    """Yield a reason code for each thing that `text` may not contain. `extra_words`: own blocklist."""
    if find_links(text):
        yield "link"
    if find_mentions(text):
        yield "mention"
    if find_cashtags(text):
        yield "cashtag"
    if len(find_hashtags(text)) > hashtags_allowed:
        yield "hashtag"
    if find_forbidden_characters(text) or unicodedata.normalize("NFC", text) != text:
        yield "forbidden-character"
    forms = dict.fromkeys((text, canonical(text)))
    lines = [line for form in forms for line in form.splitlines()]
    if any(_CHAT.search(line) for line in lines):
        yield "chat"
    rows = [" ".join(form.split()) for form in forms]
    if any(
        _INJECTION.search(row) or _INJECTION.search(re.sub(r"[-_.]", " ", row).translate(_LEET[0]))
        for row in rows
    ):
        yield "chat"
    if any(_HARMFUL.search(line) for line in (*lines, *rows)):
        yield "harmful-command"
    if any(_SECRET.search(line) for line in lines):
        yield "secret"
    if blocked_words(text, extra_words):
        yield "blocklist"


def blocked_words(text: str, extra: Collection[str] = ()) -> list[str]:
    """Return the blocked words in a text, through case, accents, look-alike letters and leetspeak.

    Masks and hidden characters do not help either. Whole words only, so that "Scunthorpe" and "class" pass;
    phrases of the allow-list ("kill -9") are taken out first.
    """
    words, stems, phrases = _blocklist()
    plain = canonical(text).casefold()
    for phrase in phrases:
        plain = plain.replace(phrase, " ")
    forbidden = words | {" ".join(canonical(w).casefold().split()) for w in extra}
    spaced = re.sub(r"(?<![\w])([\w$!@])(?:[ .\-_*/|,~]{1,2}(?=[\w$!@](?!\w)))", r"\1", plain)
    if any(ord(c) in _TURNED for c in plain if not c.isascii()):
        spaced += " " + plain.translate(_TURNED)[::-1]
    seen = set(re.findall(r"[a-z]+", spaced))
    for token in _LETTERS_AND_SIGNS.findall(f"{plain} {spaced}"):
        seen |= _readings(token)
    masks = re.findall(r"(?<![\w*])[a-z]+[*@#%][a-z*@#%]*[a-z](?![\w*])", plain)
    masked = {
        w for mask in masks if len(mask) > 3 for w in words if re.fullmatch(re.sub(r"\W", "[a-z]", mask), w)
    }
    rows = {
        f" {' '.join(re.findall('[a-z0-9]+', row))} "
        for row in (plain, *(plain.translate(leet) for leet in _LEET))
    }
    everything = " ".join(seen)
    return sorted(
        (forbidden & seen)
        | masked
        | {stem for stem in stems if stem in everything}
        | {w for w in forbidden if " " in w and any(f" {w} " in row for row in rows)}
    )


@lru_cache(maxsize=20_000)
def _readings(token: str) -> frozenset[str]:
    """Return every word that a token may be read as: leetspeak, joined parts, repeated letters, no ending."""
    if not re.search(r"[a-z]", token):  # 455 is a number, not leetspeak
        return frozenset()
    joined = re.sub(r"[-_.*]", "", token)
    forms = {token, *(form.translate(leet) for form in (token, token.strip("!+"), joined) for leet in _LEET)}
    return frozenset(
        reading
        for form in forms
        for reading in (
            form,
            re.sub(r"(.)\1{2,}", r"\1", form),
            re.sub(r"(.)\1+", r"\1", form),
            re.sub(r"(?:s|z|es|ed|ing|ers?)$", "", form),
        )
    )


@lru_cache(maxsize=1)
def _blocklist() -> tuple[frozenset[str], frozenset[str], tuple[str, ...]]:
    """Return blocked words, blocked parts of words and allowed phrases: lines `word`, `*part`, `+phrase`."""
    lines = [line.strip().lower() for line in _BLOCKLIST_FILE.read_text(encoding="utf-8").splitlines()]
    entries = [line for line in lines if line and not line.startswith("#")]
    stems = frozenset(line[1:] for line in entries if line.startswith("*"))
    words = frozenset(
        line.replace("-", " ") if " " in line else line for line in entries if line[0] not in "*+"
    )
    return words, stems, tuple(line[1:] for line in entries if line.startswith("+"))


def read_words(path: Path | None) -> frozenset[str]:
    """Return the owner's blocklist: one word or phrase a line, `#` starts a comment. Empty for no file.

    Raises `ConfigError` for one that cannot be read: nothing goes out past words that the owner forbids.
    """
    if path is None:
        return frozenset()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"BLOCKLIST_FILE: {path} cannot be read: {error}"
        raise ConfigError(message, "name a text file (UTF-8) in .env, or take the setting out") from error
    lines = (line.partition("#")[0].strip().lower() for line in text.splitlines())
    return frozenset(filter(None, lines))

"""What no text may have: links, mentions, chat, injection, harmful commands, secrets, forbidden words.

That is links, mentions, chat, prompt injection, harmful commands, secrets and bad words. Pure functions.
`reasons` yields the reason codes of a text; the gates of `gates.py` build on it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path

import regex

from src.config import ROOT
from src.content.disguises import LEET, humps_apart, once_each, readings
from src.content.intake import MAX_CHARACTERS, composed, read_file, shortened
from src.content.links import NO_LINKS, LinkRule
from src.content.tweet_text import (
    MAX_WEIGHT,
    canonical,
    find_cashtags,
    find_forbidden_characters,
    find_hashtags,
    find_links,
    find_mentions,
    weighted_length,
)
from src.domain.errors import ConfigError
from src.domain.fixes import Fix, env_file
from src.domain.texts import Reason

_BLOCKLIST_FILE = ROOT / "data" / "blocklist.txt"
_MASK = re.compile(r"(?<![\w*])[A-Za-z]+[*@#%][A-Za-z*@#%]*[A-Za-z](?![\w*])")
_DRAWN_OUT = re.compile(r"([a-z])\1\1")
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")
_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ＇`´", "'"))
_WORD_CHARACTER = r"[\p{L}\p{M}\p{N}--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]"


def _any_of(*patterns: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile("|".join(patterns), flags)


# What a model says to the person it talks with, and the marks it formats with. Read line by line.
_CHAT = _any_of(
    r"^(?:sure|certainly|of course|okay|ok|here(?:'s| is| are)|absolutely|great question|let me"
    r"|i can|i'd|i will|note)\b[,:! ]",
    r"\bas an? (?:ai|language model|assistant)\b",
    r"\bi(?:'m| am) (?:sorry|unable|an? ai|not able)\b",
    r"\bi (?:cannot|can't|won't)\b",
    r"^\W*(?:system|developer|assistant|user|human|ai|question|answer|tweet|opening|fact|statement|output"
    r"|prompt|instructions?)\W?\s*:",
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
    r"(?:instructions?|prompts?|rules?|guidelines?|guidance|directions?|orders|messages?|context|text"
    r"|filters?|statements?|everything)\b",
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
    r"</?(?:system|user|assistant|human|tool\w*|function\w*|think(?:ing)?|start_of_turn|end_of_turn|bos|eos"
    r"|instructions?|prompt|invoke|antml\w*|im_start|im_end)\b[^<]*>",
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
# Keys by the forms that their makers give them, then what is named like one, then what looks like one or like
# the number of a card.
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


def reasons(
    text: str,
    extra_words: Collection[str] = (),
    hashtags_allowed: int = 0,
    links: LinkRule = NO_LINKS,
) -> Iterator[Reason]:
    """Yield a reason for each thing that may not stand in `text`.

    `extra_words` is the owner's blocklist (`read_words`), `links` which links may stand in it. X sees no
    mention, tag or key inside a link. A text longer than any that X takes is refused for that, and not
    looked at.
    """
    if len(text) > MAX_CHARACTERS:
        yield Reason("too-long", f"more than {MAX_CHARACTERS:,} characters")
        return
    rest = links.without_allowed(text)
    for code, items in (
        ("link", find_links(rest)),
        ("mention", find_mentions(rest)),
        ("cashtag", find_cashtags(rest)),
        ("hashtag", find_hashtags(rest)[hashtags_allowed:]),
        ("forbidden-character", find_forbidden_characters(text) or _decomposed(text)),
    ):
        if items:
            yield Reason(code, ", ".join(dict.fromkeys(items)))
    forms = dict.fromkeys((text, canonical(text)))
    lines = [line for form in forms for line in form.splitlines()]
    rows = [" ".join(form.split()) for form in forms]
    plain_rows = [re.sub(r"[-_.]", " ", row).translate(LEET[0]) for row in rows]
    for code, pattern, places in (
        ("chat", _CHAT, lines),
        ("chat", _INJECTION, (*rows, *plain_rows)),
        ("harmful-command", _HARMFUL, (*lines, *rows)),
        ("secret", _SECRET, rest.splitlines() if rest != text else lines),
    ):
        if match := next(filter(None, map(pattern.search, places)), None):
            yield Reason(code, "" if code == "secret" else match[0].strip())
    if blocked := find_blocked(text, extra_words):
        yield Reason("blocklist", ", ".join(_as_read(word, shown) for word, shown in sorted(blocked.items())))


def _as_read(word: str, shown: str) -> str:
    return f"`{shown}`" if shown.casefold() == word else f"`{shown}` reads as `{word}`"


def _decomposed(text: str) -> list[str]:
    """Return the marks of a text that would be composed with the letter before them, as `U+XXXX` names."""
    if composed(text) == text:
        return []
    return [f"U+{ord(c):04X}" for c in text if unicodedata.combining(c)] or ["not in NFC"]


def blocked_words(text: str, extra: Collection[str] = ()) -> list[str]:
    """Return the blocklisted words of a text, in order: see `find_blocked`."""
    return sorted(find_blocked(text, extra))


def find_blocked(text: str, extra: Collection[str] = ()) -> dict[str, str]:
    """Return each blocklisted word in a text with the part of the text that reads so.

    Whole words only, so that "Scunthorpe" and "class" pass; phrases of the allow-list ("kill -9") are taken
    out first. A word is seen through case, accents, look-alike letters, leetspeak, masks, signs between its
    letters and camelCase (`disguises.py`). An entry of the owner (`extra`) is also seen as written, whatever
    it consists of.
    """
    listed, stems, phrases, allowed = _blocklist()
    mine = {" ".join(canonical(entry).casefold().split()) for entry in extra}
    words = listed | {entry for entry in mine if " " not in entry}
    phrases = phrases | {entry for entry in mine if " " in entry}
    shape = allowed.sub(" ", canonical(text)).replace("ß", "ss")
    read = readings(shape)
    blocked = {word: read[word] for word in words & read.keys()}
    if drawn_out := {once_each(word): shown for word, shown in read.items() if _DRAWN_OUT.search(word)}:
        blocked |= {word: drawn_out[once_each(word)] for word in words if once_each(word) in drawn_out}
    everything = " ".join(read)
    for stem in stems:
        if stem in everything:
            blocked[stem] = next(shown for word, shown in read.items() if stem in word)
    for mask in filter(lambda mask: len(mask) > 3, _MASK.findall(shape)):
        pattern = re.compile(re.sub(r"\W", "[a-z]", mask.casefold()))
        blocked |= {word: mask for word in words if pattern.fullmatch(word)}
    spaced = humps_apart(shape)
    rows = {
        f" {' '.join(re.findall('[a-z0-9]+', row))} "
        for plain in {shape.casefold(), spaced.casefold()}
        for row in (plain, *(plain.translate(leet) for leet in LEET))
    }
    blocked |= {phrase: phrase for phrase in phrases if any(f" {phrase} " in row for row in rows)}
    return _literal_matches(text, frozenset(extra)) | blocked


def _literal_matches(text: str, entries: frozenset[str]) -> dict[str, str]:
    """Return the owner's entries that stand in a text as they were written, at word boundaries."""
    if not entries:
        return {}
    forms = {_folded(text), _folded(humps_apart(text)), _folded(canonical(text))}
    return {entry: entry for entry, pattern in _literal_patterns(entries) if any(map(pattern.search, forms))}


@lru_cache(maxsize=4)
def _literal_patterns(entries: frozenset[str]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    forms = (
        (entry, form) for entry in sorted(entries) for form in {_folded(entry), _folded(canonical(entry))}
    )
    return tuple((entry, _at_boundaries(form)) for entry, form in forms if form)


def _at_boundaries(entry: str) -> re.Pattern[str]:
    """Return a pattern for an entry that is no part of a longer word.

    Scripts without spaces have no such boundary.
    """
    before = rf"(?<!{_WORD_CHARACTER})" if regex.match(_WORD_CHARACTER, entry[0], regex.V1) else ""
    after = rf"(?!{_WORD_CHARACTER})" if regex.match(_WORD_CHARACTER, entry[-1], regex.V1) else ""
    pattern: re.Pattern[str] = regex.compile(before + regex.escape(entry) + after, regex.V1)
    return pattern


def _folded(text: str) -> str:
    """Return `text` without differences of case, composition, white space and kinds of apostrophes."""
    return " ".join(composed(composed(text).casefold()).translate(_APOSTROPHES).split())


@lru_cache(maxsize=1)
def _blocklist() -> tuple[frozenset[str], frozenset[str], frozenset[str], re.Pattern[str]]:
    """Return the words, parts of words and phrases of the shipped list, and a pattern of those let through.

    Its lines are `word`, `*part`, `more than one word` and `+phrase`.
    """
    lines = [line.strip().lower() for line in _BLOCKLIST_FILE.read_text(encoding="utf-8").splitlines()]
    entries = [line for line in lines if line and not line.startswith("#")]
    plain = {line.replace("-", " ") if " " in line else line for line in entries if line[0] not in "*+"}
    allowed = "|".join(re.escape(line[1:]) for line in entries if line.startswith("+"))
    return (
        frozenset(line for line in plain if " " not in line),
        frozenset(line[1:] for line in entries if line.startswith("*")),
        frozenset(line for line in plain if " " in line),
        re.compile(rf"(?<!\w)(?:{allowed})(?!\w)", re.IGNORECASE),
    )


def read_words(path: Path | None) -> frozenset[str]:
    """Return the owner's blocklist: one word or phrase a line. Empty for no file.

    A `#` at the start of a line or after white space begins a comment. Raise `ConfigError` for a file that
    cannot be read and for an entry that no text can have: nothing goes out past words that the owner forbids.
    """
    if path is None:
        return frozenset()
    try:
        text = read_file(path)
    except (OSError, ValueError) as error:
        message = f"BLOCKLIST_FILE: {path} cannot be read: {error}"
        raise ConfigError(
            message, Fix("name a text file (UTF-8) in ", env_file(), ", or take the setting out")
        ) from error
    entries: set[str] = set()
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if entry := " ".join(composed(_COMMENT.sub("", line)).split()):
            entries.add(entry.casefold())
            problems += [f"{path}:{number}: {problem}" for problem in _entry_problems(entry)]
    if problems:
        more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
        message = f"BLOCKLIST_FILE: {'; '.join(problems[:5])}{more}"
        raise ConfigError(message, Fix("correct that line or take it out"))
    return frozenset(entries)


def _entry_problems(entry: str) -> Iterator[str]:
    """Yield why an entry matches no text that may go out."""
    if len(entry) > MAX_CHARACTERS or weighted_length(entry) > MAX_WEIGHT:
        yield f"{shortened(entry[:60])}... is longer than a tweet and would never match"
    elif found := find_forbidden_characters(entry):
        yield f"{entry!a} has {found[0]}, which no text may have, and would never match"

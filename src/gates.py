"""The gates: what may never go out, and what a small model gets wrong. Pure functions with reason codes.

`judge_opening` looks at what the model wrote for one statement, `judge_tweet` at the whole text as it would
be posted, whoever wrote it. An empty verdict means that it may go out.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from src.post import Verdict
from src.sources import MAX_OPENING, Statement
from src.tweet_text import (
    MAX_WEIGHT,
    canonical,
    find_cashtags,
    find_forbidden_characters,
    find_hashtags,
    find_links,
    find_mentions,
    weighted_length,
)

NEAR_DUPLICATE = 88.0  # similarity of the sorted words, 0 to 100 (rapidfuzz)
STALE_OPENING = 82.0
_BLOCKLIST_FILE = Path(__file__).resolve().parent.parent / "data" / "blocklist.txt"
_WORD = re.compile(r"[A-Za-z][A-Za-z'’]*")
_TOKEN = re.compile(r"[\w.+#/:=<>*$%-]*\w[\w.+#/:=<>*$%()\[\]-]*")
# What a model says to a person, and what a text says to a model: neither belongs in a tweet. Read line by line.
_CHAT = re.compile(
    r"^(?:sure|certainly|of course|okay|ok|here(?:'s| is| are)|absolutely|great question|let me|i can|i'd|i will|note)\b[,:! ]"
    r"|\bas an? (?:ai|language model|assistant)\b|\bi(?:'m| am) (?:sorry|unable|an? ai|not able)\b|\bi (?:cannot|can't|won't)\b"
    r"|^\W*(?:system|developer|assistant|user|human|ai|question|answer|tweet|opening|fact|statement|output|prompt|instructions?)\W?\s*:"
    r"|^\s*(?:[-*>]|\#{1,6})\s|```|(?<![\w*])\*\*(?=[^\s*/])[^*\n]*[^\s*]\*\*(?!\w)|(?<!\w)__[^\W_]+\s[^_]*[^\s_]__(?!\w)|(?<![\w)\]])\[[^\[\]]*\]\([^\s()]+\)",
    re.IGNORECASE,
)
_INJECTION = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass|skip|drop|set aside|(?:stop|not|don't|never) (?:follow|obey)(?:ing)?)\s+(?:(?:all|any|the|these|those|your|my|of|everything)\s+)*"
    r"(?:(?:previous|prior|above|earlier|preceding|former|system|safety|content|original)\s+|(?<=your )|(?<=all of the )|(?<=my ))+"
    r"(?:and\s+\w+\s+)?(?:instructions?|prompts?|rules?|guidelines?|guidance|directions?|orders|messages?|context|text|filters?|statements?|everything)\b"
    r"|\b(?:ignore|disregard|forget)\s+(?:all\s+|any\s+|the\s+)?(?:everything|instructions|(?:that|what) came |what (?:you were|i) )"
    r"|\b(?:you are now|from now on|pretend (?:to be|you|that you)|act as (?:an? )?(?:unrestricted|evil|dan|root|admin|if you)|jailbreak|developer mode|do anything now"
    r"|new (?:instructions?|task|(?:system )?prompt)\s*:|(?:previous|prior|earlier) (?:instructions|prompt|guidelines) (?:no longer|do(?:es)? not|are void)|(?:your|these are your|follow these) (?:new |real )?instructions|your (?:system|hidden|initial) prompt|the hidden prompt"
    r"|(?:reveal|print|show|repeat|leak|output|tell me) (?:me )?(?:your|the (?:system|hidden|above)) (?:prompt|instructions|message|text|rules|secret)"
    r"|(?:respond|reply|answer|write|output|tweet|say) (?:only|exactly|nothing but)\b|repeat after me|tweet (?:this|the following)\b|(?:post|write) the following (?:text|tweet|message|link)|ignorier\w* alle|oublie[zr]? (?:toutes )?les|ignora (?:todas )?las|игнорируй|忽略)"
    r"|<\||\w\|>|<<\W?sys|(?<!\w)\[/?(?:inst|system|user|assistant|tool_calls?)\]|</?s>"
    r"|</?(?:system|user|assistant|human|tool\w*|function\w*|think(?:ing)?|start_of_turn|end_of_turn|bos|eos|instructions?|prompt|invoke|antml\w*|im_start|im_end)\b[^<]*>"
    r"|<!--|</\w+\s*>|<(?:script|iframe|object|embed|meta|link|svg|style|form|base)\b[^<]*[>=]|<[a-z]+\s[^<>]*=[^<>]*>?|\bon(?:error|load|click|mouseover)\s*="
    r"|[\"'](?:tool|function|tool_calls?|function_call|arguments|recipient_name)[\"']\s*:|[\"']role[\"']\s*:\s*[\"'](?:system|assistant)\b",
    re.IGNORECASE,
)
# Commands that hurt whoever pastes them.
_HARMFUL = re.compile(
    r"\brm\s+(?:-[\w-]+\s+)*-[\w-]*[rf][\w-]*\s+(?:-[\w-]+\s+)*(?:[\"']?[/~*$%]|\.{1,2}(?:/\.\.)*(?:/\*|/?(?:[\s\"';&|]|$))|\.git\b)|--no-preserve-root"
    r"|\b(?:curl|wget|fetch|iwr|irm|base64|echo|xxd|openssl)\b[^\n]*\|\s*(?:sudo\s+)?(?:(?:ba|z|k|da|fi)?sh|python\d?|perl|ruby|node|php|iex)\b"
    r"|\b(?:ba|z)?sh\s+(?:-c\s+)?[\"']?(?:<\(|\$\()\s*(?:curl|wget)|\b(?:eval|source)\s+[\"'<]?[$(]?\(\s*(?:curl|wget)|\biex\s*\(|invoke-expression"
    r"|(\w+|:)\s*\(\s*\)\s*\{\s*\1\s*\|\s*\1\s*&|%0\s*\|\s*%0|\bdd\b[^\n]*\bof=/dev/|\bmkfs(?:\.|\b)|>\s*/dev/(?:sd|hd|nvme|vd|mem|kmem)|/dev/tcp/|\bnc\b[^\n]*\s-\w*e\s"
    r"|\bch(?:mod|own)\s+(?=[^\n]*-\w*R)(?:-?\w+\s+)+[/~](?:\s|$|\W)|\bchmod\s+777\s+-R\b|\bpowershell\b[^\n]*-e(?:nc|c)|\bdocker\b[^\n]*-v\s+/:|\btruncate\b[^\n]*\s/dev/|\bmv\s+\S+\s+/dev/null|\bwipefs\b|\bshred\s+\S*\s*/dev/|\bkill\s+-9\s+-1\b|\bcrontab\s+-r\b"
    r"|\bformat\s+c:|\bdel\s+/[fsq]\b|\brd\s+/s\b|\bremove-item\b[^\n]*-recurse|\brmtree\(\s*[\"'][/~]|\bfind\s+/\s[^\n]*-delete|['\"]\s*;\s*(?:drop|delete|truncate)\s"
    r"|os\.system\(|\bsudo\s+(?:rm|dd|su)\b|\bhistory\s+-c\b|\byes\s*>\s*/|vssadmin\s+delete",
    re.IGNORECASE,
)
_SECRET = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{12,}|\bgh[pousr]_\w{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w-]{16,}|\bxox[abprs]-[\w-]{8,}|\b[sprw]k[-_](?:live|test|proj|ant|or)?[-_]?[A-Za-z0-9-]{16,}"
    r"|\bAIza[\w-]{20,}|\beyJ[\w-]{8,}\.eyJ[\w-]*|-----BEGIN [A-Z ]*(?:PRIVATE KEY|CERTIFICATE)|\bssh-(?:rsa|ed25519) AAAA|\bnpm_\w{30,}|\bhf_\w{20,}|\bSG\.[\w-]{16,}|\bAAAAAAAAAA[\w%]{20,}|\bpypi-AgE\w+"
    r"|\b(?i:\w*(?:password|passwd|pwd|secret|api_?key|access_?token|access_?key|private_?key|bearer))\b[\"']?\s*(?::|=|\s)\s*[\"']?(?=[^\s\"']*\d)(?=[^\s\"']*[A-Za-z])[^\s\"'(){}<>,]{8,}"
    r"|\b(?=\w*\d)(?=\w*[a-z])(?=\w*[A-Z])(?!\w*_)\w{32,}|\b\d{4}(?:[ -]\d{4}){3}\b"
)
# Digits and signs that stand for letters; 1 and | are read both ways.
_LEET = tuple(str.maketrans("0134567@$!|+€", f"o{one}easgtas{one}{one}te") for one in "il")
_TURNED = str.maketrans("ɐɔǝɟƃᴉɾʞɯɹʇʌʍʎɥnu", "acefgijkmrtvwyhun")  # upside down
_LETTERS_AND_SIGNS = re.compile(r"[a-z0-9@$!|+€]+(?:[-_.*][a-z0-9@$!|+€]+)*")
_STOP_WORDS = frozenset(
    ["a", "an", "the", "is", "are", "was", "were", "be", "been", "do", "does", "did", "can", "could", "should", "would", "will", "may", "might", "must", "has", "have", "had", "of", "in", "on", "at", "to", "for", "with", "without", "and", "or", "but", "not", "no", "if", "when", "while", "where", "what", "which", "who", "whom", "whose", "why", "how", "that", "this", "these", "those", "it", "its", "you", "your", "we", "our", "they", "their", "them", "he", "she", "i", "me", "my", "us", "as", "by", "from", "into", "out", "up", "down", "over", "so", "than", "then", "too", "very", "just", "only", "still", "ever", "there", "here", "about", "all", "any", "each", "some", "more", "most", "much", "many", "few", "own", "same"]
)
_FALSE_START = re.compile(r"^(?:and|or|but|because|so|then|than|of)\b", re.IGNORECASE)
_QUESTION_WORD = re.compile(
    r"^(?:(?:in|on|at|for|to|with|from|by) )?(?:who|what|when|where|which|why|how|is|are|was|were|do|does|did|can|could|should|would|will|has|have|had|am|may|must)\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(r"\b(?:not|no|never|none|nothing|cannot|without|neither|nor)\b|n't\b", re.IGNORECASE)
MIN_SHARED_WORDS = 0.7
_DANGLING = re.compile(r"\b(?:an|the|and|or|but|your|its|their|our|my|than|because|if)[?.!:…]+$", re.IGNORECASE)


def judge_opening(opening: str, statement: Statement, text: str, recent: Iterable[str] = ()) -> Verdict:
    """What is wrong with the model's opening above `text`, a wording of `statement`. `recent`: openings used lately."""
    return Verdict(tuple(dict.fromkeys(_opening_reasons(opening, statement, text, recent))))


def _opening_reasons(opening: str, statement: Statement, text: str, recent: Iterable[str]) -> Iterator[str]:
    yield from _surface_reasons(opening)
    if opening != " ".join(opening.split()):
        yield "white-space"
    if weighted_length(opening) > MAX_OPENING:
        yield "too-long"
    words = _WORD.findall(opening)
    if len(words) < 2 or len(set(map(str.lower, words))) < 2:
        yield "too-short"
    if not opening.endswith(("?", ".", "!", "…")) or _DANGLING.search(opening) or _FALSE_START.search(opening):
        yield "incomplete"
    if opening[:1] and not (opening[0].isupper() or _is_code(opening.split(maxsplit=1)[0]) or _known(opening.split(maxsplit=1)[0], text)):
        yield "incomplete"
    if opening.count("?") > 1 or len(re.findall(r"[?!.](?=\s|$)", opening)) > 3:
        yield "incomplete"
    if opening.endswith("?") and not _asks(opening):
        yield "not-a-question"
    versions = [t for raw in _TOKEN.findall(opening) if len(t := raw.strip(".,:;?!'\"()")) > 2 and any(c.isdigit() for c in t)]
    if repeats(opening) or len(set(versions)) < len(versions):
        yield "repetition"
    if foreign := foreign_terms(opening, f"{text} {statement.statement} {statement.topic}"):
        yield "foreign-number" if any(c.isdigit() for c in foreign[0]) else "foreign-term"
    if echoes(opening, text):
        yield "echo"
    if is_near(opening, recent, STALE_OPENING):
        yield "stale-opening"


def judge_rewrite(text: str, statement: Statement) -> Verdict:
    """Whether a model's own wording of a statement still says that: identifiers, numbers, negations, content words.

    These checks catch what can be counted. A swapped subject passes them: that is why `rewrite` is for larger models.
    """
    reasons = list(_surface_reasons(text))
    if text != " ".join(text.split()):
        reasons.append("white-space")
    source = f"{statement.statement} {' '.join(statement.wordings)} {statement.topic}"
    if foreign_terms(text, source):
        reasons.append("foreign-term")
    if lost := [t for t in _firm_terms(statement.statement) if not _known(t, text)]:
        reasons.append("lost-number" if any(c.isdigit() for c in lost[0]) else "lost-term")
    if negations(text) != negations(statement.statement):
        reasons.append("negation")
    mine, theirs = set(content_words(text)), set(content_words(source))
    if len(mine & theirs) < MIN_SHARED_WORDS * max(len(mine), 1):
        reasons.append("strange-words")
    if not text.endswith((".", "!", "?")) or len(text.split()) < 5:
        reasons.append("incomplete")
    if repeats(text):
        reasons.append("repetition")
    return Verdict(tuple(dict.fromkeys(reasons)))


def _firm_terms(text: str) -> list[str]:
    """The numbers and identifiers of a statement, which a rewrite must keep."""
    tokens = (raw.strip(".,:;?!'\"()") for raw in _TOKEN.findall(text))
    return [t for t in tokens if t and (_is_code(t) or any(c.isdigit() for c in t))]


def negations(text: str) -> int:
    """How many negating words a text has."""
    return len(_NEGATION.findall(text))


def judge_tweet(text: str, history: Iterable[str] = (), extra_words: Collection[str] = ()) -> Verdict:
    """What is wrong with a whole text as it would be posted, by a model, from the library, or by a person."""
    reasons = list(_surface_reasons(text, extra_words, hashtags_allowed=2))
    if not text.strip():
        reasons.append("empty")
    if weighted_length(text) > MAX_WEIGHT:
        reasons.append("too-long")
    if is_near(text, history, NEAR_DUPLICATE):
        reasons.append("near-duplicate")
    return Verdict(tuple(dict.fromkeys(reasons)))


def _surface_reasons(text: str, extra_words: Collection[str] = (), hashtags_allowed: int = 0) -> Iterator[str]:
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
    if any(_INJECTION.search(row) or _INJECTION.search(re.sub(r"[-_.]", " ", row).translate(_LEET[0])) for row in rows):
        yield "chat"
    if any(_HARMFUL.search(line) for line in (*lines, *rows)):
        yield "harmful-command"
    if any(_SECRET.search(line) for line in lines):
        yield "secret"
    if blocked_words(text, extra_words):
        yield "blocklist"


def _asks(opening: str) -> bool:
    """A question word leads some clause, or it is an elliptic question ("Lost a commit?") of at most twelve words."""
    clauses = re.split(r"[.,:;!?]\s+", opening)
    return any(_QUESTION_WORD.match(clause.strip()) for clause in clauses) or len(clauses[-1].split()) <= 12


def repeats(text: str) -> bool:
    """Whether a word of substance comes three times, or a pair of words twice."""
    words = [w.lower() for w in _WORD.findall(text)]
    pairs = list(itertools.pairwise(words))
    counts = {w: words.count(w) for w in words if w not in _STOP_WORDS}
    return any(n >= 3 for n in counts.values()) or any(a == b for a, b in pairs) or (
        len(pairs) > 3 and any(pairs.count(p) > 1 for p in pairs if not set(p) <= _STOP_WORDS))


def foreign_terms(opening: str, source: str) -> list[str]:
    """Numbers, identifiers and names in `opening` that `source` does not have."""
    found = []
    for position, raw in enumerate(_TOKEN.findall(opening)):
        token = raw.strip(".,:;?!'\"()")
        special = _is_code(token) or any(c.isdigit() for c in token)
        named = position > 0 and token[:1].isupper() and token not in {"I", "I'm", "I've"} and not _after_stop(opening, token)
        if token and (special or named) and not _known(token, source):
            found.append(token)
    return found


def _after_stop(text: str, token: str) -> bool:
    return re.search(rf"[.?!:]\s+{re.escape(token)}", text) is not None


def _is_code(token: str) -> bool:
    """Looks like code or a name: camelCase, ALL CAPS, underscores, dots or other marks inside."""
    bare = token.strip(".,:;?!'\"")
    return (bool(
        re.search(r"[a-z][A-Z]|[A-Z]{2}|_|\w[./:=<>*+#]\w|^-{1,2}\w|\(\)|[%$<>=*]", bare)
    ) and not re.fullmatch(r"[A-Za-z]+(?:/[A-Za-z]+)?|[A-Z]'s", bare)) or bool(re.fullmatch(r"[A-Z]{2,}s?|\w*[a-z][A-Z]\w*", bare))


def _known(token: str, source: str) -> bool:
    bare = token.strip(".,:;?!'\"()")
    if re.search(rf"(?<!\w){re.escape(bare)}(?!\w)", source, re.IGNORECASE):
        return True
    stem = re.sub(r"(?:'s|s)$", "", bare)
    return len(stem) > 1 and re.search(rf"(?<!\w){re.escape(stem)}s?(?!\w)", source, re.IGNORECASE) is not None


def content_words(text: str) -> list[str]:
    """The words of substance in a text, lower case, with plural endings dropped."""
    return [re.sub(r"(?:'s|es|s)$", "", w.lower()) for w in _WORD.findall(text) if w.lower() not in _STOP_WORDS and len(w) > 1]


def echoes(opening: str, text: str) -> bool:
    """Whether the opening gives the statement away: most of its words in the same order as there."""
    mine, theirs = [w.lower() for w in _WORD.findall(opening)], [w.lower() for w in _WORD.findall(text)]
    longest = max((_common_run(mine[i:], theirs) for i in range(len(mine))), default=0)
    return longest >= 5 or (longest >= 4 and longest >= 0.7 * len(mine))


def _common_run(words: list[str], other: list[str]) -> int:
    best = 0
    for start in range(len(other)):
        length = 0
        while length < len(words) and start + length < len(other) and words[length] == other[start + length]:
            length += 1
        best = max(best, length)
    return best


def is_near(text: str, others: Iterable[str], limit: float) -> bool:
    """Whether any of `others` is at least `limit` (0 to 100) similar, whatever the order of words."""
    others = list(others)
    if not others:
        return False
    return nearest(normal_words(text), [normal_words(o) for o in others], limit) is not None


def nearest(normal: str, others: Sequence[str], limit: float) -> str | None:
    """Which of `others` is at least `limit` (0 to 100) similar to `normal`, both as `normal_words` gives them."""
    from rapidfuzz import fuzz, process  # noqa: PLC0415 (17 ms that an idle tick need not spend)

    found = process.extractOne(normal, others, scorer=fuzz.ratio, score_cutoff=limit)
    return str(found[0]) if found else None


@lru_cache(maxsize=200_000)
def normal_words(text: str) -> str:
    """Lower-case words without punctuation, sorted: the form in which texts are compared, whatever their order."""
    return " ".join(sorted("".join(c if c.isalnum() else " " for c in text.casefold()).split()))


def blocked_words(text: str, extra: Collection[str] = ()) -> list[str]:
    """Blocklisted words in a text, seen through case, accents, look-alike letters, leetspeak, masks and hidden characters.

    Whole words only, so that "Scunthorpe" and "class" pass; phrases of the allow-list ("kill -9") are taken out first.
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
    masked = {w for mask in masks if len(mask) > 3 for w in words if re.fullmatch(re.sub(r"\W", "[a-z]", mask), w)}
    rows = {f" {' '.join(re.findall('[a-z0-9]+', row))} " for row in (plain, *(plain.translate(leet) for leet in _LEET))}
    everything = " ".join(seen)
    return sorted((forbidden & seen) | masked | {stem for stem in stems if stem in everything}
                  | {w for w in forbidden if " " in w and any(f" {w} " in row for row in rows)})


@lru_cache(maxsize=20_000)
def _readings(token: str) -> frozenset[str]:
    """Every word that a token may be read as: leetspeak, joined parts, drawn-out letters, a plain ending dropped."""
    if not re.search(r"[a-z]", token):  # 455 is a number, not leetspeak
        return frozenset()
    joined = re.sub(r"[-_.*]", "", token)
    forms = {token, *(form.translate(leet) for form in (token, token.strip("!+"), joined) for leet in _LEET)}
    return frozenset(reading for form in forms for reading in (
        form, re.sub(r"(.)\1{2,}", r"\1", form), re.sub(r"(.)\1+", r"\1", form), re.sub(r"(?:s|z|es|ed|ing|ers?)$", "", form)))


@lru_cache(maxsize=1)
def _blocklist() -> tuple[frozenset[str], frozenset[str], tuple[str, ...]]:
    """(blocked words, blocked parts of words, allowed phrases) from `data/blocklist.txt`: lines `word`, `*part`, `+phrase`."""
    lines = [line.strip().lower() for line in _BLOCKLIST_FILE.read_text(encoding="utf-8").splitlines()]
    entries = [line for line in lines if line and not line.startswith("#")]
    stems = frozenset(line[1:] for line in entries if line.startswith("*"))
    words = frozenset(line.replace("-", " ") if " " in line else line for line in entries if line[0] not in "*+")
    return words, stems, tuple(line[1:] for line in entries if line.startswith("+"))


def read_words(path: Path | None) -> frozenset[str]:
    """The owner's blocklist: one word or phrase a line, `#` starts a comment. Empty for no file."""
    if path is None:
        return frozenset()
    lines = (line.partition("#")[0].strip().lower() for line in path.read_text(encoding="utf-8").splitlines())
    return frozenset(filter(None, lines))

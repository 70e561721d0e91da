r"""Labels: foreign text, escaped and bounded so that it is safe in an exposition, a terminal and a file.

Only invisible characters and those that control a terminal are escaped. Emoji, other scripts, unassigned and
private characters (icon fonts) stay, so a label does not depend on the interpreter's Unicode version or
locale. A label has at most LONGEST bytes of UTF-8: a longer text ends in `~` and a hash of the whole. Both
writing labels and reading them back use this module.
"""

import re
from typing import NewType

Label = NewType("Label", str)
"""A finished label: what `label_text` gives, or what `is_label` takes."""

SessionKey = tuple[str, str]
"""Labels of a server and of a session; an empty text where one is not known."""

LONGEST = 128
"""Bytes of UTF-8."""

_HASH_DIGITS = 12
"""48 bits: among 10,000 long names two share one with a probability of 2e-7."""

_REWRITTEN = re.compile(
    r"""
    # An emoji flag of tag characters stays (first, so that the tags below do not match inside it).
    (?P<flag> \U0001F3F4 [\U000E0020-\U000E007E]+ \U000E007F )
    # C0, DEL and C1 steer terminals; U+2028 and U+2029 end lines.
    | [\x00-\x1F\x7F-\x9F\u2028\u2029]
    # Bidirectional marks, embeddings, overrides and isolates hide the real order of what follows.
    | [\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]
    # No width at all. The joiners U+200C and U+200D are not here: scripts and emoji are spelled with them.
    | [\u00AD\u180E\u200B\u2060-\u2065\u206A-\u206F\uFEFF\uFFF9-\uFFFB\U000E0000-\U000E007F]
    # Bytes that were no UTF-8.
    | [\uD800-\uDFFF]
    # A backslash that would read as one of our escapes.
    | (?P<backslash> \\ ) (?= [0-3][0-7]{2} )
    """,
    re.VERBOSE,
)

_LOOSE_END = re.compile("[\u200c\u200d\U000e0020-\U000e007e]+$")
"""Characters without meaning once the text after them is cut off: joiners, and tags of half a flag."""


def visible_text(raw: str) -> str:
    r"""Rewrite every unprintable character as the octal escapes of its bytes: `\012`, `\377`, `\302\233`.

    `raw` is a text decoded with `surrogateescape`. A backslash stays as it is, except before three octal
    digits, where it becomes `\134`: so each result stands for exactly one sequence of bytes. It encodes as
    UTF-8 and is as long as it has to be: for a terminal, not for a label. Rewrite a text once: a second pass
    escapes the escapes.
    """
    # Nearly every text is of this kind.
    plain = raw.isascii() and raw.isprintable() and "\\" not in raw
    return raw if plain else _REWRITTEN.sub(_escape, raw)


def label_text(raw: str) -> Label:
    """The label of a text from outside: rewritten as `visible_text` does it, and bounded.

    Two texts never meet in one label, but for a chance that the hash makes negligible, or by intent.
    """
    if len(raw) > LONGEST:
        # Every character is a byte at least: it will be cut, and what is cut off need not be rewritten.
        return _cut(visible_text(raw[: LONGEST + 3]), raw)
    return bounded(visible_text(raw))


def bounded(text: str) -> Label:
    """A visible text, cut to the length of a label; a short one stays unchanged."""
    if len(text) <= LONGEST and (text.isascii() or len(text.encode()) <= LONGEST):
        return Label(text)
    return _cut(text, text)


def suffixed(label: str, suffix: str) -> Label:
    """A label with a suffix that is never cut off: `api#2`, `work:3`."""
    whole = label + suffix
    return Label(whole) if len(whole.encode()) <= LONGEST else Label(_cut(label, label, suffix))


def is_label(text: str) -> bool:
    """Whether `label_text` may have given this."""
    return bounded(text) == text and is_visible(text)


def is_visible(text: str) -> bool:
    """Whether nothing in this text needs an escape; it may be too long for a label."""
    return all(found["flag"] or found["backslash"] for found in _REWRITTEN.finditer(text))


def _cut(text: str, whole: str, suffix: str = "") -> Label:
    """The start of `text`, then a hash of `whole`, then the suffix: at most LONGEST bytes together."""
    import hashlib  # noqa: PLC0415 - the configuration needs labels before the exporter chooses its hashes

    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    tail = f"~{digest}{suffix}"
    head = text.encode()[: LONGEST - len(tail.encode())].decode("utf-8", "ignore")
    return Label(_LOOSE_END.sub("", head) + tail)


def _escape(match: re.Match[str]) -> str:
    if match["flag"]:
        return match[0]
    character = match[0]
    if "\udc80" <= character <= "\udcff":
        return f"\\{ord(character) - 0xDC00:03o}"
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogatepass"))

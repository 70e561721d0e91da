"""Texts from outside, rewritten so that they are fit for a label, a terminal and a page.

Only what cannot be seen or could steer a terminal is rewritten; emoji, other scripts, unassigned and
private characters (icon fonts) stay, so a label depends neither on the Unicode version of the interpreter
nor on its locale. Nothing is shortened.
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

K = TypeVar("K")

_REWRITTEN = re.compile(
    r"""
    # An emoji flag spelled in tag characters stays (first, so that the tags below do not match inside it).
    (?P<flag> \U0001F3F4 [\U000E0020-\U000E007E]+ \U000E007F )
    # C0, DEL and C1 steer terminals; U+2028 and U+2029 end lines.
    | [\x00-\x1F\x7F-\x9F\u2028\u2029]
    # Bidirectional marks, embeddings, overrides and isolates disguise what follows.
    | [\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]
    # No width at all. The joiners U+200C and U+200D are not here: scripts and emoji are spelled with them.
    | [\u00AD\u180E\u200B\u2060-\u2065\u206A-\u206F\uFEFF\uFFF9-\uFFFB\U000E0000-\U000E007F]
    # Bytes that were no UTF-8.
    | [\uD800-\uDFFF]
    # A backslash that would read as one of our escapes.
    | \\ (?= [0-3][0-7]{2} )
    """,
    re.VERBOSE,
)


def label_text(raw: str) -> str:
    r"""Rewrite every unprintable character as the octal escapes of its bytes: `\012`, `\377`, `\302\233`.

    `raw` is a text decoded with `surrogateescape`. A backslash stays as it is, except before three octal
    digits, where it becomes `\134`: so each label stands for exactly one sequence of bytes, and two texts
    from outside never meet in one label. The result encodes as UTF-8. Rewrite a text once: a second pass
    escapes the escapes.
    """
    return _REWRITTEN.sub(_escape, raw)


def _escape(match: re.Match[str]) -> str:
    if match["flag"]:
        return match[0]
    character = match[0]
    if "\udc80" <= character <= "\udcff":
        return f"\\{ord(character) - 0xDC00:03o}"
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogatepass"))


def unique_labels(raws: Mapping[K, str], fallback: Callable[[K], str] = str) -> dict[K, str]:
    """Give each key a label of its own, in the order of the mapping.

    The first holder of a name keeps it, later ones get `#2`, `#3`, … past any name that is taken. An empty
    name becomes `fallback(key)`. A newcomer at the end of the mapping renames nobody before it, unless its
    own name is one that had been handed out as a number.
    """
    texts = {key: label_text(raw or fallback(key)) for key, raw in raws.items()}
    holders: dict[str, K] = {}
    for key, text in texts.items():
        holders.setdefault(text, key)
    numbers: dict[str, int] = {}
    labels: dict[K, str] = {}
    taken = set(holders)
    for key, text in texts.items():
        label = text
        if holders[text] is not key:
            number = numbers.get(text, 1) + 1
            while (label := f"{text}#{number}") in taken:
                number += 1
            numbers[text] = number
            taken.add(label)
        labels[key] = label
    return labels

"""Labels that differ from each other, whatever the texts from outside are."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from tmux_exporter.facts.label import Label, label_text, suffixed

K = TypeVar("K")


def unique_labels(raws: Mapping[K, str], fallback: Callable[[K], str] = str) -> dict[K, Label]:
    """Give each key a label of its own, in the order of the mapping.

    The first holder of a name keeps it, later ones get `#2`, `#3`, … past any name that is taken. An empty
    name becomes `fallback(key)`. A newcomer at the end of the mapping renames nobody before it, unless its
    own name is one that had been handed out as a number.
    """
    texts = {key: label_text(raw or fallback(key)) for key, raw in raws.items()}
    holders: dict[Label, K] = {}
    for key, text in texts.items():
        holders.setdefault(text, key)
    numbers: dict[Label, int] = {}
    labels: dict[K, Label] = {}
    taken = set(holders)
    for key, text in texts.items():
        label = text
        if holders[text] is not key:
            number = numbers.get(text, 1) + 1
            while (label := suffixed(text, f"#{number}")) in taken:
                number += 1
            numbers[text] = number
            taken.add(label)
        labels[key] = label
    return labels

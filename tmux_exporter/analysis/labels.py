"""Labels that differ from each other, whatever the texts from outside are."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from tmux_exporter.facts.host import HostFacts
from tmux_exporter.facts.label import Label, label_text, suffixed
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import TmuxView

K = TypeVar("K")
T = TypeVar("T")

SessionLabels = Mapping[tuple[ProcessId, str], Label]
"""The label of each session by its server's process and its id there."""


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


def session_labels(view: TmuxView) -> SessionLabels:
    """The labels of all listed sessions, each unique on its server."""
    labels: dict[tuple[ProcessId, str], Label] = {}
    for server in view.servers:
        if (listing := server.listing) is not None:
            unique = unique_labels({session.id: session.name for session in listing.sessions})
            labels.update({(listing.server, session_id): label for session_id, label in unique.items()})
    return labels


def labelled(host: HostFacts) -> HostFacts:
    """The same facts by finished labels: mount points and devices may hold any byte."""
    return replace(
        host,
        disk_io_seconds=_labelled(host.disk_io_seconds),
        filesystems=_labelled(host.filesystems),
        networks=_labelled(host.networks),
    )


def _labelled(values: Mapping[str, T]) -> dict[str, T]:
    # Two texts never meet in one label.
    return {label_text(name): value for name, value in values.items()}

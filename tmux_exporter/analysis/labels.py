"""Unique labels for foreign names: sessions, hosts' devices and mount points."""

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
    """Give each key a unique label, in the order of the mapping.

    The first key with a name keeps it, later ones get `#2`, `#3`, …, skipping names that are taken. An empty
    name becomes `fallback(key)`. A new key at the end of the mapping renames no key before it, unless its own
    name equals a label given with such a number.
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
    """The same facts keyed by labels: names of mount points and devices may contain any byte."""
    return replace(
        host,
        disk_io_seconds=_labelled(host.disk_io_seconds),
        filesystems=_labelled(host.filesystems),
        networks=_labelled(host.networks),
    )


def _labelled(values: Mapping[str, T]) -> dict[str, T]:
    # Different texts never get the same label.
    return {label_text(name): value for name, value in values.items()}

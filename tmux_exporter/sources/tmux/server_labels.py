"""Assign the `server` label of each tmux server: short, unique, stable across samples; pure.

File names may hold any byte: this file returns escaped labels only.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from tmux_exporter.facts.label import Label, label_text, suffixed
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.sources.tmux.server import Server

Key = str | ProcessId
"""The holder of a path is labelled by the path, so a restarted server keeps its label; others by process."""

_SWARM = re.compile(r"(claude-swarm)-\d+")


def key_of(server: Server) -> Key:
    """The identity for which a label is kept."""
    return server.path if server.holds_path or server.process is None else server.process


def assign_labels(
    servers: Sequence[Server], default_folders: Sequence[str], given: Mapping[Key, Label]
) -> dict[Key, Label]:
    """A label for each server; `given` are the last sample's, which are kept.

    The first of `default_folders` is the one that the user's own `tmux` uses: its sockets come first.
    """
    labels = {key: given[key] for key in map(key_of, servers) if key in given}
    taken = set(labels.values())

    def rank(server: Server) -> tuple[bool, int, str, ProcessId | tuple[()]]:
        folder = os.path.dirname(server.path)
        place = default_folders.index(folder) if folder in default_folders else len(default_folders)
        return not server.holds_path, place, server.path, server.process or ()

    for server in sorted(servers, key=rank):
        key = key_of(server)
        if key not in labels:
            labels[key] = next(label for label in _names(server.path, default_folders) if label not in taken)
            taken.add(labels[key])
    return labels


def _names(path: str, default_folders: Sequence[str]) -> Iterator[Label]:
    """Labels that fit a path, best first, without end."""
    folder, name = os.path.split(path)
    prefix = "" if folder in default_folders else f"{folder}/"
    if swarm := _SWARM.fullmatch(name):
        # A pid in the name would give a new label with every run.
        number = 1
        while True:
            yield suffixed(label_text(prefix + swarm[1]), f"-{number}")
            number += 1
    yield (label := label_text(prefix + name))
    yield label_text(path)
    number = 2
    while True:
        yield suffixed(label, f"#{number}")
        number += 1

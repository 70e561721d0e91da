"""The names that the host's facts go by, as labels."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from tmux_exporter.facts.host import HostFacts
from tmux_exporter.facts.label import label_text

T = TypeVar("T")


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

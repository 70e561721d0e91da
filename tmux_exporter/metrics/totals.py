"""Totals of leaks by kind and of schedulers by state: how many, their memory, CPU time and descriptors."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from tmux_exporter.facts.label import SessionKey
from tmux_exporter.facts.report import LeakReport, SchedulerReport
from tmux_exporter.metrics.catalogue import family
from tmux_exporter.metrics.catalogue.family import Family, Sample

K = TypeVar("K", bound=StrEnum)
T = TypeVar("T", bound=LeakReport | SchedulerReport)


def by_kind(
    things: Sequence[T], kind: Callable[[T], K], kinds: Iterable[K], session_keys: Iterable[SessionKey]
) -> dict[tuple[str, str, K], list[T]]:
    """The things by server, session and kind: every kind of each session, also of those of the things."""
    seen = ((each.server, each.session) for each in things)
    every = dict.fromkeys((*session_keys, *seen))
    found: dict[tuple[str, str, K], list[T]] = {
        (*session_key, each): [] for session_key in every for each in kinds
    }
    for each in things:
        found[each.server, each.session, kind(each)].append(each)
    return found


def totals(
    count: str,
    prefix: str,
    things: Mapping[tuple[str, str, K], Sequence[T]],
    cpu_seconds: Mapping[tuple[str, str, K], float],
) -> tuple[Family, ...]:
    """The families `count` and `<prefix>_…`: the count of every key, sums only where something is.

    A sum of which nothing could be read gives no sample. A CPU counter has one from when it has appeared.
    """
    memory = ((key, [each.memory_bytes for each in members]) for key, members in things.items())
    descriptors = ((key, [each.open_fds for each in members]) for key, members in things.items())
    return (
        family(count, (Sample(key, len(members)) for key, members in things.items())),
        family(f"{prefix}_memory_bytes", _sums(memory)),
        family(f"{prefix}_cpu_seconds_total", (Sample(key, value) for key, value in cpu_seconds.items())),
        family(f"{prefix}_open_fds", _sums(descriptors)),
    )


def _sums(groups: Iterable[tuple[tuple[str, ...], list[int | None]]]) -> Iterable[Sample]:
    for key, values in groups:
        if known := [value for value in values if value is not None]:
            yield Sample(key, sum(known))

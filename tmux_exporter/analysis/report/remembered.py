"""Ownership that only earlier samples prove: a running exporter passes it to a command that just started."""

from collections.abc import Callable, Iterable

from tmux_exporter.facts.agents import SavedTie
from tmux_exporter.facts.label import SessionKey
from tmux_exporter.facts.leaks import Leak
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.report import Remembered
from tmux_exporter.facts.tmux import PaneKey

_UNSEEN = (Evidence.MEMORY, Evidence.LINEAGE)
_SAVED = "tied to its pane before the exporter was restarted"
_REASON = "the exporter that runs saw it in its pane, in earlier samples"


def is_by_memory(owner: Owner) -> bool:
    """Whether a new sampler may not find this: the pane is gone, or only memory ties the process to it."""
    return owner.kind is OwnerKind.LEAKED or (owner.kind is OwnerKind.PANE and owner.evidence in _UNSEEN)


def remembered(
    known: Iterable[tuple[ProcessId, Owner]],
    leaks: Iterable[Leak],
    origin_of: Callable[[PaneKey], SessionKey | None],
    is_proven: Callable[[ProcessId, PaneKey | None], bool],
) -> tuple[Remembered, ...]:
    """The same with labels of their panes' sessions, for the report."""
    found = {leak.process: leak for leak in leaks}
    entries = []
    for process, owner in known:
        # By its session id alone a process may belong to another agent by now.
        if owner.server is None or owner.pane is None or owner.evidence is Evidence.AGENT_MARKER:
            continue
        leak = found.get(process)
        server, session = origin_of(owner.pane) or ("", "")
        by_folder = leak is not None and leak.by_folder
        if leak is not None and by_folder:
            server, session = leak.server, leak.session
        entries.append(
            Remembered(
                process=process,
                origin=owner.server,
                pane=owner.pane.pane,
                server=server,
                session=session,
                leaked=leak is not None,
                by_folder=by_folder,
                proven=is_proven(process, owner.pane),
                quiet_since=leak.quiet_since if leak is not None else None,
                by_lineage=owner.evidence is Evidence.LINEAGE,
            )
        )
    return tuple(entries)


def saved_ties(known: Iterable[tuple[ProcessId, Owner]]) -> tuple[SavedTie, ...]:
    """The same for the state file."""
    return tuple(
        SavedTie(process=process, pane=owner.pane, by_lineage=owner.evidence is Evidence.LINEAGE)
        for process, owner in known
        if owner.pane is not None and owner.evidence in _UNSEEN
    )


def restored(ties: Iterable[SavedTie]) -> dict[ProcessId, Owner]:
    """The owners that a sampler starts with by what the state file keeps."""
    return {
        each.process: Owner(
            kind=OwnerKind.PANE,
            evidence=Evidence.LINEAGE if each.by_lineage else Evidence.MEMORY,
            reason=_SAVED,
            server=each.pane.server,
            pane=each.pane,
        )
        for each in ties
    }


def owners_of(entries: Iterable[Remembered]) -> dict[ProcessId, Owner]:
    """The owners that a new sampler starts with, as if it had seen them itself."""
    return {
        each.process: Owner(
            kind=OwnerKind.PANE,
            evidence=Evidence.LINEAGE if each.by_lineage else Evidence.MEMORY,
            reason=_REASON,
            server=each.origin,
            pane=PaneKey(each.origin, each.pane),
        )
        for each in entries
    }

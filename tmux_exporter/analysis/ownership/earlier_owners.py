"""Ownership by memory: the owner of a process in earlier samples, updated by what exists now."""

from dataclasses import replace

from tmux_exporter.analysis.ownership.tmux_lookup import Presence, TmuxLookup
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind


def by_memory(owner: Owner | None, tmux: TmuxLookup) -> Owner | None:
    """The owner of the last sample, updated; None where there was none.

    A member of a pane stays a member while the pane exists or nothing certain is known. Once the pane is gone
    the process is LEAKED, for good: a server never reuses a pane id. A job of a server stays its job, and has
    no owner once the server has ended.
    """
    if owner is None or owner.kind is OwnerKind.OTHER:
        return None
    if owner.evidence is Evidence.AGENT_MARKER:
        # `agent_markers` decides again: the session may continue elsewhere by now.
        return None
    if owner.kind is OwnerKind.SERVER:
        # The environment is read again anyway; as memory it would get too much weight.
        if owner.server is None or owner.evidence is Evidence.ENVIRONMENT or tmux.has_ended(owner.server):
            return None
        return _as_remembered(owner)
    if owner.pane is None:
        return _as_remembered(owner)
    presence = tmux.presence(owner.pane)
    if presence is Presence.GONE and owner.kind is OwnerKind.PANE:
        gone = f"pane {owner.pane.pane} of tmux server {owner.pane.server.pid} is gone"
        remembered = _as_remembered(owner)
        return replace(remembered, kind=OwnerKind.LEAKED, reason=f"{remembered.reason}; {gone}")
    if presence is Presence.HERE and owner.kind is OwnerKind.LEAKED:
        return replace(_as_remembered(owner), kind=OwnerKind.PANE)
    return _as_remembered(owner)


def _as_remembered(owner: Owner) -> Owner:
    # The reason must not grow with each sample, and an unchanged owner stays the same object.
    if owner.evidence is Evidence.MEMORY:
        return owner
    return replace(owner, evidence=Evidence.MEMORY, reason=f"seen earlier: {owner.reason}")

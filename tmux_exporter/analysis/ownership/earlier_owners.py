"""What earlier samples knew of a process, read in the light of this one."""

from dataclasses import replace

from tmux_exporter.analysis.ownership.tmux_lookup import Presence, TmuxLookup
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind


def by_memory(owner: Owner | None, tmux: TmuxLookup) -> Owner | None:
    """Say what became of the owner that a process had in the last sample; None where it had none.

    A member of a pane that is there, or of which nothing certain is known, stays its member. Once the pane
    is gone it is LEAKED, and stays so: a server never gives a pane id twice. A job of a server stays its job,
    and belongs to nobody once the server has ended.
    """
    if owner is None or owner.kind is OwnerKind.OTHER:
        return None
    if owner.evidence is Evidence.AGENT_MARKER:
        # `agent_markers` judges it anew: the session may go on elsewhere by now.
        return None
    if owner.kind is OwnerKind.SERVER:
        # The environment repeats itself; as a memory it would outweigh what it is worth.
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
    # The reason must not grow from sample to sample, and an unchanged owner stays the same object.
    if owner.evidence is Evidence.MEMORY:
        return owner
    return replace(owner, evidence=Evidence.MEMORY, reason=f"seen earlier: {owner.reason}")

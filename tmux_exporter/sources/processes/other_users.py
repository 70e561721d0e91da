"""Which processes of other users have nothing to do with ours."""

from collections.abc import Mapping, Set

from tmux_exporter.facts.process import Process

_INIT = 1


def find_other_users(processes: Mapping[int, Process], uid: int) -> set[int]:
    """The pids of all that are neither of `uid` nor above, below or in a kernel session with one that is.

    What a pane or a leak holds of other users (sudo, a program with setuid) is no stranger, nor is whoever
    adopts or waits for ours. Init is everybody's parent: below it, nobody is akin for that.
    """
    own = [each for each in processes.values() if each.uid in (uid, None)]
    sessions = {each.session_id for each in own}
    above = {_INIT}
    for each in own:
        pid = each.ppid
        while pid in processes and pid not in above:
            above.add(pid)
            pid = processes[pid].ppid
    akin = {each.id.pid: True for each in own} | {_INIT: False}
    for pid in processes:
        _classify(pid, processes, sessions, akin)
    return {pid for pid, is_akin in akin.items() if not is_akin and pid not in above}


def _classify(pid: int, processes: Mapping[int, Process], sessions: Set[int], akin: dict[int, bool]) -> None:
    """Add to `akin` what holds for a process and for those above it that are not in there yet."""
    path: list[int] = []
    verdict = False
    while pid in processes and pid not in akin:
        path.append(pid)
        # Until the ancestors are known; where numbers were given away twice they may form a circle.
        akin[pid] = False
        if processes[pid].session_id in sessions:
            verdict = True
            break
        pid = processes[pid].ppid
    else:
        verdict = akin.get(pid, False)
    akin.update(dict.fromkeys(path, verdict))

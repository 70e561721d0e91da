"""Find processes of other users that are not related to processes of this user."""

from collections.abc import Mapping, Set

from tmux_exporter.facts.process import Process

_INIT = 1


def find_other_users(processes: Mapping[int, Process], uid: int) -> set[int]:
    """The pids of processes that are not of `uid`, nor ancestor, descendant or session mate of one that is.

    So a process of another user in a pane or a leak (sudo, a setuid program) is not among them, nor is one
    that adopts or waits for ours. To be a child of init makes no process related.
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
    """Add to `akin` whether a process and those of its ancestors that are not yet in it are related."""
    path: list[int] = []
    verdict = False
    while pid in processes and pid not in akin:
        path.append(pid)
        # Until the ancestors are known; reused pids can form a circle.
        akin[pid] = False
        if processes[pid].session_id in sessions:
            verdict = True
            break
        pid = processes[pid].ppid
    else:
        verdict = akin.get(pid, False)
    akin.update(dict.fromkeys(path, verdict))

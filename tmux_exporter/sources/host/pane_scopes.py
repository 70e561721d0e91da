"""Find the systemd scopes that tmux made for panes, and which process of which tmux server each was made for.

The user's systemd writes a transient unit of each into the runtime folder; its description has both pids.
"""

import os
import re
from collections.abc import Container, Iterator
from contextlib import suppress

from tmux_exporter.facts.cgroups import is_pane_scope
from tmux_exporter.facts.ledgers import PaneScope
from tmux_exporter.sources.common.untrusted_file import read_guarded

_LARGEST = 16_384
_LAUNCH = re.compile(rb"^Description=tmux child pane (\d{1,9}) launched by process (\d{1,9})$", re.MULTILINE)


def read_scopes(
    known: Container[str], *, uid: int, unified: str, runtime: str = "/run/user"
) -> tuple[PaneScope, ...]:
    """The scopes of a user's panes but those with `known` names; none without a systemd of the user.

    `unified` is where version 2 of cgroups is mounted.
    """
    units = f"{runtime}/{uid}/systemd/transient"
    try:
        names = {each for each in os.listdir(units) if is_pane_scope(each) and each not in known}
    except OSError:
        return ()
    if not names:
        return ()
    found = []
    for folder, name in _folders(f"{unified}/user.slice/user-{uid}.slice/user@{uid}.service", names):
        # It may have ended meanwhile, or another program may have made it.
        with suppress(OSError, ValueError):
            raw = read_guarded(f"{units}/{name}", uid=uid, limit=_LARGEST)
            pane, server = parse_launch(raw)
            made_at = os.stat(f"{units}/{name}").st_mtime
            found.append(PaneScope(folder=folder, pane_pid=pane, server_pid=server, made_at=made_at))
    return tuple(found)


def parse_launch(raw: bytes) -> tuple[int, int]:
    """Parse the transient unit of a scope: the pid of the pane's process, and that of the tmux server."""
    found = _LAUNCH.search(raw)
    if found is None:
        raise ValueError("scope: no description of tmux")
    return int(found[1]), int(found[2])


def _folders(root: str, names: Container[str]) -> Iterator[tuple[str, str]]:
    for path, folders, _ in os.walk(root):
        yield from ((f"{path}/{each}", each) for each in folders if each in names)
        # Nobody makes a scope of the user's systemd below another scope.
        folders[:] = [each for each in folders if not each.endswith(".scope")]

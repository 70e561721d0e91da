"""Where the runtime folder is, by text alone: `op` and the library need no more, and no pathlib."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "tmux-exporter"

OPERATIONS_SOCKETS = ("operations.sock", *(f"operations-{number}.sock" for number in range(2, 13)))
"""In the runtime folder: where programs report their operations to the exporter.

The kernel's own bound for a datagram socket is 10 waiting datagrams (systemd makes it 512), fewer than twenty
agents that begin at once; so there are several, and who finds one full tries the next.
"""


def runtime_folder(environ: Mapping[str, str], uid: int) -> str:
    """Where sockets and hand-over files of this user go; neither created nor checked."""
    base = environ.get("XDG_RUNTIME_DIR", "")
    # A relative one does not count, as its specification says: it would be another folder for each program.
    if os.path.isabs(base):
        return os.path.join(base, NAME)
    user = f"/run/user/{uid}"
    if os.path.isdir(user):
        return os.path.join(user, NAME)
    return f"/tmp/{NAME}-{uid}"  # noqa: S108 - its owner and mode are checked before it is used

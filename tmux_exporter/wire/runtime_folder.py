"""Path of the runtime folder, without pathlib: `op` and the library must start fast."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "tmux-exporter"

OPERATIONS_SOCKETS = ("operations.sock", *(f"operations-{number}.sock" for number in range(2, 13)))
"""In the runtime folder: where programs report their operations to the exporter.

The kernel's own bound for a datagram socket is 10 waiting datagrams (systemd makes it 512), fewer than twenty
agents that begin at once. So there are several sockets; a sender tries the next one if one is full.
"""


def runtime_folder(environ: Mapping[str, str], uid: int) -> str:
    """Where sockets and hand-over files of this user go; neither created nor checked."""
    base = environ.get("XDG_RUNTIME_DIR", "")
    # A relative path is ignored, as the XDG specification says: each program would use another folder.
    if os.path.isabs(base):
        return os.path.join(base, NAME)
    user = f"/run/user/{uid}"
    if os.path.isdir(user):
        return os.path.join(user, NAME)
    return f"/tmp/{NAME}-{uid}"  # noqa: S108 - its owner and mode are checked before it is used

"""Read options of a tmux server with one constant query, run by its own program."""

from collections.abc import Collection

from tmux_exporter.sources.tmux.client_transport import ProgramError, run_program

_QUESTION = ("show-options", "-s", ";", "show-options", "-g", ";", "show-options", "-gw")
_SECONDS = 2.0


def read_options(path: str, peer: int, uid: int, names: Collection[str]) -> dict[str, str] | None:
    """The values of these options of the server `peer`, which listens on `path`; None if unknown.

    Only for a server that has just answered as one of this uid: a tmux client writes files for its server.
    """
    try:
        answer = run_program(path, peer, uid, _QUESTION, seconds=_SECONDS)
    except ProgramError:
        return None
    pairs = (line.partition(" ") for line in answer.decode("utf-8", "replace").splitlines())
    return {name: value for name, _, value in pairs if name in names}

"""Some variables of the environment of a process."""

import os
from collections.abc import Collection, Mapping

_LARGEST = 256 * 1024


def environ_of(
    pid: int, names: Collection[str], *, own: Mapping[str, str], proc_root: str = "/proc"
) -> Mapping[str, str]:
    """Those of these variables that a process was started with; our `own` where it cannot be read."""
    try:
        with open(f"{proc_root}/{pid}/environ", "rb") as stream:
            content = stream.read(_LARGEST)
    except OSError:
        return own
    pairs = (os.fsdecode(each).partition("=") for each in content.split(b"\0"))
    return {name: value for name, _, value in pairs if name in names}

"""What there is of a demo on this machine, found without asking the code that ends it."""

from pathlib import Path

from tests.support.processes.started import is_gone


def belongings(folder: Path) -> dict[int, str]:
    """Every living process that has the demo's folder in its environment or arguments, as pid and argv.

    Sees more than the demo's mark: whoever only knows the socket's path is here too.
    """
    found = {}
    for each in Path("/proc").iterdir():
        if not each.name.isdecimal():
            continue
        try:
            words = (each / "cmdline").read_bytes() + (each / "environ").read_bytes()
        except OSError:
            continue
        if bytes(folder) in words and not is_gone(int(each.name)):
            found[int(each.name)] = (
                words.split(b"\0\0")[0].replace(b"\0", b" ")[:200].decode(errors="replace")
            )
    return found

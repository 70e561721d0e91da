"""A root whose folders belong to the user who runs the tests, for the user namespace of an ordinary user.

Such a namespace knows one user. There root's folders belong to nobody, and whatever asks who could have
written a file refuses everything: somebody unknown could put another in its place below / or /tmp.
"""

import ctypes
import getpass
import os
from collections.abc import Collection
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_MS_BIND, _MS_REC = 0x1000, 0x4000
_MNT_DETACH = 2

_TMP = "/tmp"


def enter_own_root() -> None:
    """Go into a root that looks the same, where /tmp and all above checkout and home are the user's.

    To be called with the capabilities of a new user namespace, in a mount namespace of its own. All else is
    what it was; what is made directly in one of these folders stays inside.
    """
    # The test runner makes it at the same time, and hands out folders below it.
    Path(_TMP, f"pytest-of-{_user()}").mkdir(mode=0o700, exist_ok=True)
    here = os.getcwd()
    inside = (Path(__file__).parents[3], Path.home(), Path(here), Path(_TMP, "any"))
    anew = {str(above) for path in inside for above in path.parents if os.stat(above).st_uid != os.getuid()}
    # The new root is mounted upon it; what is in it can be seen by this.
    covered = os.open(_TMP, os.O_RDONLY | os.O_DIRECTORY)
    _call("mount", b"none", _TMP.encode(), b"tmpfs", 0, b"mode=0755")
    _fill("/", Path(_TMP), anew, f"/proc/self/fd/{covered}")
    os.close(covered)
    os.chdir(_TMP)
    _call("pivot_root", b".", b".")
    _call("umount2", b".", _MNT_DETACH)
    os.chdir(here)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _fill(folder: str, new: Path, anew: Collection[str], tmp: str) -> None:
    """Make each entry of a folder in a new one: folders of `anew` empty, all else mounted."""
    with os.scandir(tmp if folder == _TMP else folder) as entries:
        for entry in entries:
            path, place = os.path.join(folder, entry.name), new / entry.name
            if entry.is_symlink():
                place.symlink_to(os.readlink(entry.path))
            elif path in anew:
                place.mkdir()
                _fill(path, place, anew, tmp)
                place.chmod(0o1777 if path == _TMP else 0o755)
            else:
                place.mkdir() if entry.is_dir() else place.touch()
                try:
                    _call("mount", os.fsencode(entry.path), bytes(place), None, _MS_BIND | _MS_REC, None)
                except FileNotFoundError:
                    # What others keep in /tmp comes and goes.
                    place.rmdir() if place.is_dir() else place.unlink()


def _call(name: str, *arguments: object) -> None:
    if _libc[name](*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")

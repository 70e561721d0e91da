"""The namespaces that tests run in, as an ordinary user has them."""

import ctypes
import os
from pathlib import Path

from tests.support.isolation.namespace import in_namespace

REPOSITORY = Path(__file__).parents[3]
SOMEBODY = 4711
PR_SET_DUMPABLE = 4


def become_an_ordinary_user() -> None:
    if os.getuid() != 0:
        return
    os.setgroups([])
    os.setgid(SOMEBODY)
    os.setuid(SOMEBODY)
    # Who changes its user may not write its own /proc/self/uid_map before.
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)


def test_nobody_unknown_owns_what_an_ordinary_user_s_files_lie_in() -> None:
    """Or each policy of a test would be refused there: somebody could put another one in its place."""

    def look() -> None:
        above = (*REPOSITORY.parents, Path("/tmp"))
        assert {path for path in above if path.stat().st_uid not in (0, os.getuid())} == set()
        assert Path("/tmp").stat().st_mode & 0o7777 == 0o1777
        assert in_namespace(lambda: None), "the kernel gives none within this one"

    def outside() -> None:
        become_an_ordinary_user()
        assert in_namespace(look), "the kernel gives an ordinary user no namespace"

    assert in_namespace(outside), "the kernel gives no namespace"

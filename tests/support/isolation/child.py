"""Run a piece of a test in a child process: as another user, or with limits that the test must not keep."""

import os
import pickle
import traceback
import warnings
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

NOBODY = 65534


def in_child(work: Callable[[], T], *, uid: int | None = None) -> T:
    """Fork, run `work` there and hand its result back; with `uid` (root only) as that user without groups.

    Nothing is executed anew, so `work` needs no permission to read this repository.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 warns where other tests left threads; the child runs no code that waits for them.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            if uid is not None:
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
            outcome: tuple[bool, object] = (True, work())
        except BaseException:
            outcome = (False, traceback.format_exc())
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(outcome, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        content = pipe.read()
    os.waitpid(child, 0)
    succeeded, result = pickle.loads(content)
    assert succeeded, result
    return result  # type: ignore[no-any-return]

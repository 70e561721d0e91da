"""A program that starts processes of all kinds, as fast as it is told, until its input ends.

`churn.py PER_SECOND`: children that end at once, or live on for a while; orphans; whole chains that end from
the top; sessions of their own; programs run in place; threads; zombies that are waited for late. None
outlives the program by more than a few seconds.
"""

import os
import random
import select
import sys
import threading
import time
from collections.abc import Callable

LONGEST = 3.0


def child(work: Callable[[], object]) -> None:
    if os.fork() == 0:
        try:
            work()
        finally:
            os._exit(0)


def nap() -> None:
    time.sleep(random.uniform(0, LONGEST))


def burn() -> None:
    until = time.process_time() + random.uniform(0, 0.02)
    while time.process_time() < until:
        pass
    nap()


def orphan() -> None:
    child(nap)


def chain() -> None:
    def middle() -> None:
        child(lambda: time.sleep(LONGEST))
        time.sleep(0.2)

    child(middle)
    time.sleep(0.1)


def session() -> None:
    os.setsid()
    child(nap)
    nap()


def program() -> None:
    time.sleep(random.uniform(0, 0.5))
    os.execvp("sleep", ["sleep", str(random.uniform(0, LONGEST))])


def threads() -> None:
    for _ in range(3):
        threading.Thread(target=nap).start()
    nap()


def parent() -> None:
    child(nap)
    time.sleep(random.uniform(0, LONGEST))
    os.waitpid(-1, 0)


KINDS = (lambda: None, nap, burn, orphan, chain, session, program, threads, parent)


def main(per_second: float) -> None:
    while not select.select([sys.stdin], [], [], random.uniform(0, 2 / per_second))[0]:
        child(random.choice(KINDS))
        if random.random() < 0.5:
            while True:
                try:
                    if os.waitpid(-1, os.WNOHANG) == (0, 0):
                        break
                except ChildProcessError:
                    break


if __name__ == "__main__":
    main(float(sys.argv[1]))

"""The plan file of a running remediator: rewritten when the plan changes or expires."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.errors import UsageError
from tmux_exporter.base.log import log_fields
from tmux_exporter.base.paths import REMEDIATOR_PLAN
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.record import plan

LARGEST_BYTES = 16 << 20

_log = logging.getLogger(__name__)


class PlanFile:
    """The file in `folder`, the private state folder of `uid`."""

    def __init__(self, folder: Path, *, uid: int, boot: str, clock: Clock) -> None:
        self._path = folder / REMEDIATOR_PLAN
        self._uid = uid
        self._boot = boot
        self._clock = clock
        self._kept: tuple[Order, ...] = ()
        self._renew_at = 0.0

    def keep(self, orders: Sequence[Order]) -> None:
        """Keep a plan of these orders, none where there are none. A failure is logged and raises nothing."""
        wanted = plan.plannable(orders)
        wall = self._clock.time()
        if wanted == self._kept and (not wanted or wall < self._renew_at):
            return
        try:
            if wanted:
                self._write(wanted, wall)
            elif self._kept:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            _log.error("plan not written", extra=log_fields(file=str(self._path), error=str(error)))
        self._kept = wanted

    def _write(self, orders: tuple[Order, ...], wall: float) -> None:
        made = plan.make(orders, wall=wall, boot=self._boot, uid=self._uid)
        self._renew_at = (made.made_at + made.expires_at) / 2
        content = made.render()
        write(self._path, content)
        _log.info(
            "a plan waits for a person",
            extra=log_fields(file=str(self._path), orders=len(orders), sha256=plan.digest(content)),
        )


def write(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Replace a file, mode 0600: every reader sees the old one or the new one. Raises OSError.

    With `durable` the new one is on disk before the old one goes.
    """
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(fresh, flags, 0o600), "wb", buffering=0) as stream:
        if stream.write(content) != len(content):
            raise OSError(f"{fresh}: no space for the whole file")
        if durable:
            os.fsync(stream.fileno())
    fresh.rename(path)


def read_bytes(path: str) -> bytes:
    """The content of a plan file. Raises UsageError with the fix."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; make a plan with tmux-remediator plan --out") from None
    with open(descriptor, "rb") as stream:
        content = stream.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise UsageError(f"{path} is larger than any plan; make one with tmux-remediator plan --out")
    return content

"""Check passwords by bcrypt, one at a time, and remember those that were right.

A check is dear by design, and so a lever for those who have no password: what was verified is remembered for
minutes after its last use, by a keyed hash; failed logins are counted by address; and few may wait.
"""

import asyncio
import base64
import binascii
import hashlib
import ipaddress
import os
from collections import OrderedDict
from collections.abc import Mapping
from enum import Enum, auto

from tmux_exporter.base.clock import Clock
from tmux_exporter.web.blocking import in_thread

REMEMBERED_SECONDS = 300.0
"""After the last use; a hash that leaves the file is forgotten with it."""
MOST_FAILURES = 10
FAILURE_SECONDS = 6.0
"""An address has failed MOST_FAILURES logins: one more is checked after each of these."""
MOST_WAITING = 8
"""Of different passwords that wait for their check."""
_MOST_REMEMBERED = 64
_MOST_ADDRESSES = 4096
# Longer ones are cut by older versions of bcrypt, and refused by newer ones.
_LONGEST_PASSWORD = 72


class Verdict(Enum):
    """Of a request's password."""

    RIGHT = auto()
    WRONG = auto()
    TOO_MANY = auto()
    BUSY = auto()


class Bucket:
    """So many at once, and one more each `seconds`."""

    def __init__(self, size: int, seconds: float, clock: Clock) -> None:
        self._size = float(size)
        self._seconds = seconds
        self._clock = clock
        self._left = float(size)
        self._filled = clock.monotonic()

    def take(self) -> bool:
        """Take one, if one is left."""
        now = self._clock.monotonic()
        self._left = min(self._size, self._left + (now - self._filled) / self._seconds)
        self._filled = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """What was taken was not needed."""
        self._left += 1


class Passwords:
    """Used from the event loop only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = os.urandom(32)
        self._checking = asyncio.Lock()
        self._under_way: dict[bytes, asyncio.Future[bool]] = {}
        self._remembered: OrderedDict[bytes, float] = OrderedDict()
        self._failures: OrderedDict[str, Bucket] = OrderedDict()

    async def check(self, authorization: str, users: Mapping[str, bytes], address: str) -> Verdict:
        """The verdict on the header of a request from an address."""
        if (given := parse_basic(authorization)) is None:
            return Verdict.WRONG
        user, password = given
        # As dear for a user who does not exist.
        hashed = users.get(user) or next(iter(users.values()))
        known = user in users
        # With the hash that stands for a user who is gone, what was right before would still be.
        digest = self._digest(user.encode(), hashed if known else b"", password)
        if self._recall(digest):
            return Verdict.RIGHT
        if digest not in self._under_way and len(self._under_way) >= MOST_WAITING:
            return Verdict.BUSY
        bucket = self._bucket(address)
        if not bucket.take():
            return Verdict.TOO_MANY
        if digest not in self._under_way:
            task = asyncio.ensure_future(self._verify(digest, password, hashed, known=known))
            self._under_way[digest] = task
            task.add_done_callback(lambda _: self._under_way.pop(digest, None))
        if await asyncio.shield(self._under_way[digest]):
            bucket.give_back()
            return Verdict.RIGHT
        return Verdict.WRONG

    async def _verify(self, digest: bytes, password: bytes, hashed: bytes, *, known: bool) -> bool:
        async with self._checking:
            right = await in_thread(lambda: _is_right(password, hashed))
        if right and known:
            self._remembered[digest] = self._clock.monotonic()
            while len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return right and known

    def _digest(self, *parts: bytes) -> bytes:
        made = hashlib.blake2b(key=self._key)
        for part in parts:
            made.update(len(part).to_bytes(4, "big") + part)
        return made.digest()

    def _recall(self, digest: bytes) -> bool:
        now = self._clock.monotonic()
        used = self._remembered.pop(digest, None)
        if used is None or now - used > REMEMBERED_SECONDS:
            return False
        self._remembered[digest] = now
        return True

    def _bucket(self, address: str) -> Bucket:
        network = _network(address)
        bucket = self._failures.pop(network, None) or Bucket(MOST_FAILURES, FAILURE_SECONDS, self._clock)
        self._failures[network] = bucket
        if len(self._failures) > _MOST_ADDRESSES:
            self._failures.popitem(last=False)
        return bucket


def parse_basic(authorization: str) -> tuple[str, bytes] | None:
    """User and password of an Authorization header; None without both."""
    scheme, _, encoded = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
        user, colon, password = decoded.partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _is_right(password: bytes, hashed: bytes) -> bool:
    import bcrypt  # noqa: PLC0415 - only who has users pays for it

    # One that is too long costs a check all the same.
    checked = bcrypt.checkpw(password[:_LONGEST_PASSWORD].replace(b"\0", b"?"), hashed)
    return checked and len(password) <= _LONGEST_PASSWORD and b"\0" not in password


def _network(address: str) -> str:
    """Who gets an own bucket: an IPv4 address, or the network of an IPv6 one, of which a machine has many."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(parsed.ipv4_mapped or ipaddress.ip_network((int(parsed), 64), strict=False))

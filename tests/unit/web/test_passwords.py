"""Passwords: what is remembered, who waits, and whose failures count together."""

import asyncio
from base64 import b64encode

import bcrypt
import pytest

from tests.support.clock import ManualClock
from tests.support.web.certificates import HASH, PASSWORD
from tmux_exporter.web.access import passwords
from tmux_exporter.web.access.passwords import MOST_FAILURES, MOST_WAITING, Passwords, Verdict, parse_basic

USERS = {"prom": HASH.encode()}


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The passwords that bcrypt was asked about."""
    asked: list[bytes] = []
    check = bcrypt.checkpw

    def counted(password: bytes, hashed: bytes) -> bool:
        asked.append(password)
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    return asked


def test_a_right_password_costs_one_check_until_five_minutes_after_its_last_use(checks: list[bytes]) -> None:
    clock = ManualClock()

    async def play() -> None:
        kept = Passwords(clock)
        for after, cost in ((0, 1), (299, 1), (299, 1), (301, 2)):
            clock.advance(after)
            assert await kept.check(basic("prom", PASSWORD), USERS, "10.0.0.1") is Verdict.RIGHT
            assert len(checks) == cost
        # Another hash of the same user is another password.
        renewed = {"prom": bcrypt.hashpw(b"new", bcrypt.gensalt(4))}
        assert await kept.check(basic("prom", PASSWORD), renewed, "10.0.0.1") is Verdict.WRONG

    asyncio.run(play())


def test_a_user_who_does_not_exist_costs_the_same_and_gets_nothing(checks: list[bytes]) -> None:
    async def play() -> None:
        kept = Passwords(ManualClock())
        assert await kept.check(basic("nobody", PASSWORD), USERS, "10.0.0.1") is Verdict.WRONG
        assert len(checks) == 1

    asyncio.run(play())


def test_a_rush_is_checked_once_for_the_same_password_and_few_others_may_wait(checks: list[bytes]) -> None:
    async def play() -> None:
        kept = Passwords(ManualClock())
        same = [kept.check(basic("prom", PASSWORD), USERS, f"10.0.0.{number}") for number in range(20)]
        others = [kept.check(basic("prom", f"guess{n}"), USERS, f"10.0.1.{n}") for n in range(20)]
        verdicts = await asyncio.gather(*same, *others)
        assert verdicts[:20] == [Verdict.RIGHT] * 20
        assert verdicts[20:].count(Verdict.WRONG) == MOST_WAITING - 1
        assert verdicts[20:].count(Verdict.BUSY) == 21 - MOST_WAITING
        assert len(checks) == MOST_WAITING

    asyncio.run(play())


def test_failures_of_one_ipv6_network_count_together_and_one_more_is_checked_each_six_seconds() -> None:
    clock = ManualClock()

    async def play() -> None:
        kept = Passwords(clock)

        async def guess(address: str) -> Verdict:
            return await kept.check(basic("prom", "wrong"), USERS, address)

        inside = [await guess(f"2001:db8::{number}") for number in range(MOST_FAILURES + 1)]
        assert inside == [Verdict.WRONG] * MOST_FAILURES + [Verdict.TOO_MANY]
        assert await guess("2001:db8:0:1::1") is Verdict.WRONG
        clock.advance(passwords.FAILURE_SECONDS)
        assert [await guess("2001:db8::1"), await guess("2001:db8::1")] == [Verdict.WRONG, Verdict.TOO_MANY]

    asyncio.run(play())


@pytest.mark.parametrize("password", ["x" * 73, PASSWORD + "\0", ""])
def test_what_bcrypt_would_cut_is_wrong(password: str) -> None:
    async def play() -> None:
        cut = {"prom": bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4))}
        for users in (cut, USERS):
            verdict = await Passwords(ManualClock()).check(basic("prom", password), users, "10.0.0.1")
            assert verdict is Verdict.WRONG

    asyncio.run(play())


@pytest.mark.parametrize("header", ["", "Basic", "Basic !", "Bearer eDp5", "Basic eHk=", "Basic /zp4"])
def test_a_header_without_user_and_password_is_none(header: str) -> None:
    assert parse_basic(header) is None

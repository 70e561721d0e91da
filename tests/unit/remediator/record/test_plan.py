"""A plan says exactly what is done: canonical, bound to its hash, its policies, its boot and its time."""

import json
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.remediator.orders import pair_order
from tests.support.remediator.orphans import WALL, orphan, with_stop
from tmux_exporter.base.errors import UsageError
from tmux_exporter.base.log import fields_of
from tmux_exporter.base.paths import REMEDIATOR_PLAN
from tmux_exporter.facts.remediation import Mode
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import PolicySet
from tmux_exporter.remediator.record.plan import digest, make, plannable, read
from tmux_exporter.remediator.record.plan_file import PlanFile

P = with_stop(ORPHANED_SCHEDULERS, approval_expires=600.0)
SET = PolicySet(policies=(P,))
ORDERS = (pair_order(P, orphan(600)), pair_order(P, orphan(500)))
PLAN = make(ORDERS, wall=WALL, boot="this", uid=1000)
CONTENT = PLAN.render()


def read_back(content: bytes = CONTENT, **changes: Any) -> object:
    known: dict[str, Any] = {"wall": WALL + 1, "boot": "this", "uid": 1000}
    return read(content, digest(content), changes.pop("policies", SET), **(known | changes))


def test_a_plan_is_one_text_whatever_order_it_was_made_in() -> None:
    assert make(ORDERS[::-1], wall=WALL, boot="this", uid=1000).render() == CONTENT
    assert CONTENT.count(b"\n") == 1
    assert json.dumps(json.loads(CONTENT), sort_keys=True, separators=(",", ":")).encode() + b"\n" == CONTENT
    assert (PLAN.made_at, PLAN.expires_at) == (WALL, WALL + 600)


def test_what_is_read_back_is_what_was_planned_and_bears_its_hash() -> None:
    plan = read_back()
    assert plan.orders == tuple(  # type: ignore[attr-defined]
        replace(each, plan_sha256=digest(CONTENT)) for each in ORDERS[::-1]
    )


def test_another_plan_than_the_one_that_was_read_is_refused() -> None:
    changed = CONTENT.replace(b"600", b"601")
    assert changed != CONTENT
    with pytest.raises(UsageError, match=f"another plan: its SHA-256 is {digest(changed)}"):
        read(changed, digest(CONTENT), SET, wall=WALL, boot="this", uid=1000)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"boot": "next"}, "another boot or user"),
        ({"uid": 0}, "another boot or user"),
        ({"wall": WALL + 600}, "has run out"),
        ({"wall": WALL - 61}, "has run out"),
        (
            {"policies": PolicySet(policies=(replace(P, per_hour=61),))},
            "not what it was when this plan was made",
        ),
        (
            {"policies": PolicySet(policies=(replace(P, name="x"),))},
            "not what it was when this plan was made",
        ),
    ],
)
def test_a_plan_is_for_its_boot_user_time_and_policies(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_back(**changes)


def test_a_plan_can_be_applied_to_its_last_second() -> None:
    read_back(wall=WALL + 599)


def mangled(**changes: object) -> bytes:
    document = json.loads(CONTENT)
    document["orders"][0] |= changes
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"[" * 100_000, json.dumps(json.loads(CONTENT) | {"version": 2}).encode(),
        json.dumps(json.loads(CONTENT) | {"orders": None}).encode(),
        json.dumps(json.loads(CONTENT) | {"kind": "another"}).encode(),
        json.dumps(json.loads(CONTENT) | {"expires_at": 10**400}).encode(), mangled(processes=[]),
        mangled(processes=[[1]]), mangled(processes=[["1", 2]]), mangled(session=None),
        mangled(stages=[["stop", "TERM", 10**400]]), mangled(stages=[["stop", "USR1", 3]]),
        mangled(stages=[["exec", "TERM", 3]]), mangled(method="sh"), mangled(kind="window"),
    ],
)  # fmt: skip
def test_what_is_no_plan_is_refused(content: bytes) -> None:
    with pytest.raises(UsageError, match="this is no plan"):
        read_back(content)


def test_what_only_observes_is_in_no_plan() -> None:
    watching = pair_order(replace(P, mode=Mode.OBSERVE), orphan())
    asking = pair_order(replace(P, mode=Mode.RECOMMEND), orphan())
    assert plannable((watching, asking)) == (asking,)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(time=WALL)


def test_a_remediator_keeps_a_plan_as_long_as_there_is_something_to_agree_to(
    tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tmux_exporter.remediator")
    path = tmp_path / REMEDIATOR_PLAN
    file = PlanFile(tmp_path, uid=os.getuid(), boot="this", clock=clock)
    file.keep(())
    assert not path.exists()
    file.keep(ORDERS)
    first = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert fields_of(caplog.records[-1])["sha256"] == digest(first)
    clock.advance(200)
    file.keep(ORDERS)
    assert path.read_bytes() == first, "its hash stays, so that somebody can name it"
    clock.advance(150)
    file.keep(ORDERS)
    assert path.read_bytes() != first, "it is renewed before it runs out"
    file.keep(ORDERS[:1])
    assert len(json.loads(path.read_bytes())["orders"]) == 1
    file.keep(())
    assert not path.exists()


def test_an_unkept_plan_ends_nothing(
    tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    PlanFile(tmp_path / "none", uid=os.getuid(), boot="this", clock=clock).keep(ORDERS)
    assert "plan not written" in caplog.text

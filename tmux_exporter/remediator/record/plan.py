"""Plans: orders that wait for a person's approval, as one canonical JSON text named by its hash; pure.

A plan holds complete orders for one boot, one user, one set of policies and a limited time. `apply` needs its
hash and does nothing else.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tmux_exporter.base import strict_json
from tmux_exporter.base.errors import UsageError
from tmux_exporter.facts.remediation import Action, Method, Mode, Signal, TargetKind
from tmux_exporter.remediator.decide.order import Order, Reason, Stage, Target
from tmux_exporter.remediator.policies.policy import Policy, PolicySet

KIND = "tmux-remediator-plan"
VERSION = 1
MOST_ORDERS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Orders that wait for a person's word; times are wall times."""

    made_at: float
    expires_at: float
    boot: str
    uid: int
    orders: tuple[Order, ...]

    def render(self) -> bytes:
        """The canonical text: sorted keys, no blanks, one line."""
        document = {
            "kind": KIND,
            "version": VERSION,
            "made_at": round(self.made_at, 3),
            "expires_at": round(self.expires_at),
            "boot": self.boot,
            "uid": self.uid,
            "orders": [_order(each) for each in self.orders],
        }
        text = json.dumps(document, allow_nan=False, sort_keys=True, separators=(",", ":"))
        return text.encode("ascii") + b"\n"


def make(orders: Sequence[Order], *, wall: float, boot: str, uid: int) -> Plan:
    """A plan of these orders; it runs out with the first of their approvals."""
    expiries = [each.policy.stop.approval_expires for each in orders if each.policy.stop]
    return Plan(
        made_at=wall,
        expires_at=wall + min(expiries, default=0.0),
        boot=boot,
        uid=uid,
        orders=tuple(sorted(orders, key=lambda each: (each.policy.name, each.target.processes))),
    )


def plannable(orders: Sequence[Order]) -> tuple[Order, ...]:
    """Those of the orders whose policies may do more than observe."""
    return tuple(each for each in orders if each.policy.mode is not Mode.OBSERVE)


def digest(content: bytes) -> str:
    """What names a plan."""
    return hashlib.sha256(content).hexdigest()


def read(content: bytes, sha256: str, policies: PolicySet, *, wall: float, boot: str, uid: int) -> Plan:
    """Parse a plan file; each order gets its policy. Raises UsageError with the fix."""
    if digest(content) != sha256.lower():
        raise UsageError(
            f"this is another plan: its SHA-256 is {digest(content)}; read it again before you apply it"
        )
    try:
        document = strict_json.document(content, VERSION)
        if document["kind"] != KIND:
            raise ValueError("of another kind")
        by_name = {each.name: each for each in policies.policies}
        entries = strict_json.array(document["orders"])
        if len(entries) > MOST_ORDERS:
            raise ValueError("too many orders")
        plan = Plan(
            made_at=strict_json.number(document["made_at"]),
            expires_at=strict_json.number(document["expires_at"]),
            boot=strict_json.text(document["boot"]),
            uid=strict_json.count(document["uid"]),
            orders=tuple(_read_order(strict_json.record(each), by_name, sha256.lower()) for each in entries),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"this is no plan ({error}); make one with tmux-remediator plan") from None
    if (plan.boot, plan.uid) != (boot, uid):
        raise UsageError("this plan is of another boot or user; make a new one")
    if not plan.made_at - 60 <= wall < plan.expires_at:
        raise UsageError("this plan has run out; make a new one")
    return plan


def _order(order: Order) -> dict[str, Any]:
    target = order.target
    return {
        "policy": order.policy.name,
        "policy_sha256": order.policy.digest,
        "method": order.method,
        "stages": [[each.action, each.signal, each.seconds] for each in order.stages],
        "kind": target.kind,
        "server": target.server,
        "session": target.session,
        "name": target.name,
        "processes": [list(each) for each in target.processes],
        "argv_sha256": target.argv_sha256,
        "culprit": None if order.culprit is None else list(order.culprit),
        "with_below": order.with_below,
        "reasons": [list(each) for each in order.reasons],
        "held": round(order.held, 3),
    }


def _read_order(entry: Mapping[str, Any], policies: Mapping[str, Policy], sha256: str) -> Order:
    name = strict_json.text(entry["policy"])
    policy = policies.get(name)
    if policy is None or policy.digest != entry["policy_sha256"]:
        raise UsageError(f"policy '{name[:64]}' is not what it was when this plan was made; make a new one")
    processes = tuple(strict_json.process(each) for each in strict_json.array(entry["processes"]))
    if not processes:
        raise ValueError("an order for nothing")
    return Order(
        policy=policy,
        target=Target(
            kind=TargetKind(entry["kind"]),
            server=strict_json.text(entry["server"]),
            session=strict_json.text(entry["session"]),
            name=strict_json.text(entry["name"]),
            processes=processes,
            argv_sha256=strict_json.text(entry["argv_sha256"]),
        ),
        method=Method(entry["method"]),
        stages=tuple(
            Stage(action=Action(action), signal=Signal(signal), seconds=strict_json.number(seconds))
            for action, signal, seconds in entry["stages"]
        ),
        plan_sha256=sha256,
        culprit=None if entry["culprit"] is None else strict_json.process(entry["culprit"]),
        with_below=strict_json.flag(entry["with_below"]),
        reasons=tuple(_reason(each) for each in strict_json.array(entry["reasons"])),
        held=strict_json.number(entry["held"]),
    )


def _reason(value: Any) -> Reason:  # noqa: ANN401 - any JSON
    metric, *figures, over = strict_json.array(value)
    current, above, held = map(strict_json.number, figures)
    return Reason(
        metric=strict_json.text(metric),
        value=current,
        above=above,
        held=held,
        rate_over=None if over is None else strict_json.number(over),
    )

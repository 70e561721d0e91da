"""The audit as a table, with a check of its hash chain."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.base.log import ecs_fields
from tmux_exporter.commands.views.text_table import columns, table
from tmux_exporter.config.parsers import format_duration
from tmux_exporter.facts.label import visible_text
from tmux_exporter.remediator.decide.order import Reason
from tmux_exporter.remediator.record.audit import Line, faults, read
from tmux_exporter.remediator.record.log_fields import reason_words

_COLUMNS = columns(
    "record>", "time", "kind", "of>", "policy", "processes", "server", "session", "why", "for>", "result"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to show of an audit: all that is not None has to fit; of what fits the last `last`."""

    kind: str | None = None
    policy: str | None = None
    pid: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """The lines of an audit file, or some of them, and what is wrong with its chain."""

    lines: tuple[Line, ...]
    faults: tuple[str, ...]

    def only(self, wanted: Wanted) -> "AuditView":
        """The lines that fit. An outcome has the policy and the processes of its act."""
        acts = {each.record["seq"]: each.record for each in self.lines if each.record is not None}

        def fits(line: Line) -> bool:
            record = line.record
            if record is None:
                return wanted == Wanted(last=wanted.last)
            act = _act(record, acts)
            return (
                wanted.kind in (None, record["kind"])
                and wanted.policy in (None, act.get("policy"))
                and (wanted.pid is None or wanted.pid in _pids(act))
            )

        kept = [line for line in self.lines if fits(line)]
        return replace(self, lines=tuple(kept[-wanted.last :] if wanted.last else kept))

    @property
    def records(self) -> tuple[Mapping[str, Any], ...]:
        """The records in these lines."""
        return tuple(line.record for line in self.lines if line.record is not None)

    def verdict(self) -> str:
        """One line: how many records there are, and whether they are whole."""
        records = self.records
        span = f", {records[0]['seq']} to {records[-1]['seq']}" if records else ""
        found = f"faults, see above: {len(self.faults)}" if self.faults else "the chain is whole"
        return f"{len(records)} records{span}; {found}"

    def as_table(self) -> str:
        """One row per line, the oldest first."""
        return "\n".join(table(_COLUMNS, [_row(line) for line in self.lines]))

    def as_ecs(self) -> str:
        """A line of the Elastic Common Schema for each record whose time can be read; none of a torn one."""
        return "\n".join(
            json.dumps(_ecs(record)) for record in self.records if _time(record.get("at")).endswith("Z")
        )

    def as_json(self) -> str:
        """The records, and what is wrong."""
        return json.dumps({"records": self.records, "faults": self.faults}, indent=2)


def load(path: Path) -> AuditView:
    """Read an audit file; one that is not there has no lines. Raises CannotSeeError where it is refused."""
    try:
        with path.open("rb") as stream:
            lines = tuple(read(stream))
    except FileNotFoundError:
        lines = ()
    except OSError as error:
        raise CannotSeeError(f"{path}: {error.strerror}; only its owner can read it") from error
    return AuditView(lines=lines, faults=tuple(faults(lines)))


def _act(record: Mapping[str, Any], by_number: Mapping[int, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The record of the act that a record is of; itself where it is of none."""
    of = record.get("of")
    return by_number.get(of, record) if isinstance(of, int) else record


def _ecs(record: Mapping[str, Any]) -> Mapping[str, object]:
    texts = {
        key: each if isinstance(each, str) else json.dumps(each)
        for key, each in record.items()
        if key not in ("at", "seq", "kind") and each is not None
    }
    words = (record["kind"], _text(record, "policy"), _why(record), _result(record))
    fields = ecs_fields(
        at=record["at"],
        level="info",
        message=" ".join(filter(None, map(str, words))),
        logger="tmux_remediator.audit",
        service="tmux-remediator",
        labels=texts,
    )
    return {**fields, "event.action": str(record["kind"]), "event.sequence": record["seq"]}


def _pids(record: Mapping[str, Any]) -> list[int]:
    found = _list(record.get("processes"))
    return [each[0] for each in found if isinstance(each, list) and each and isinstance(each[0], int)]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _row(line: Line) -> list[str]:
    if line.record is None:
        cells = ["", "", f"torn line {line.number}", *[""] * (len(_COLUMNS) - 3)]
    else:
        record = line.record
        seq, kind, of, policy, server, session = (
            _text(record, name) for name in ("seq", "kind", "of", "policy", "server", "session")
        )
        pids = ",".join(map(str, _pids(record)))
        held = record.get("held")
        waited = format_duration(float(round(held))) if isinstance(held, int | float) else ""
        place = [seq, _time(record.get("at")), kind, of, policy, pids, server, session]
        cells = [*place, _why(record), waited, _result(record)]
    # The file may contain control characters.
    return [visible_text(cell) for cell in cells]


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return "" if value is None else str(value)


def _time(at: object) -> str:
    if not isinstance(at, int | float):
        return ""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(at)


def _why(record: Mapping[str, Any]) -> str:
    """The figures that it was for, with their bounds, and what held them or is held."""
    culprit = _list(record.get("culprit"))
    found = []
    for each in _list(record.get("reasons")):
        try:
            found.append(reason_words(Reason(*each), holds=bool(culprit)))
        except (TypeError, KeyError, ValueError):
            # It may be of another version.
            continue
    if culprit:
        found.append(f"held by pid {culprit[0]}")
    bounds = record.get("bounds")
    if isinstance(bounds, dict) and bounds.get("whole_pane"):
        found.append(f"of its whole pane ({_text(record, 'unit')})")
    return "; ".join(found)


def _result(record: Mapping[str, Any]) -> str:
    actions = [" ".join(map(str, each)) for each in _list(record.get("actions")) if isinstance(each, list)]
    return ", ".join((*actions, *filter(None, (_text(record, "refusal"), _text(record, "detail")))))

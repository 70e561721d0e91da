"""From a record of the audit back to the decision: what it was judged by says the same again, or it does not.

The guards of this version judge what an earlier one has recorded: where they were changed meanwhile, they may
well differ.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.process import Problem, ProcessId
from tmux_exporter.facts.remediation import Action, Method, Mode, Refusal, Signal
from tmux_exporter.facts.report import (
    AgentReport,
    Histogram,
    LeakReport,
    PaneReport,
    Report,
    SchedulerReport,
    ServerReport,
    SessionReport,
    Usage,
)
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.decide.last_checks import (
    ProcessEvidence,
    TargetProcess,
    failed_check,
    stages_refusal,
)
from tmux_exporter.remediator.decide.order import Stage
from tmux_exporter.remediator.decide.vetoes import Case, Moment, Subject, refusal
from tmux_exporter.remediator.policies.policy import Channel, OptIn, SnapshotPart

Record = Mapping[str, Any]

_FREE = frozenset({Refusal.CHANGED, Refusal.HELD, Refusal.PROTECTED, Refusal.AUDIT})
"""Reasons that rest on what no record holds: what else was shown, who spoke for it, what could be written."""


_QUIET = ("message", "snapshot")
"""Steps that end nothing."""


class RecordedTerms(NamedTuple):
    """What a policy said of the act."""

    servers: tuple[str, ...]
    max_age: float
    remaining: float
    warmup: float
    allow: tuple[OptIn, ...]


def decisions(records: Iterable[Record]) -> tuple[Record, ...]:
    """Those of the records that decide something."""
    return tuple(record for record in records if record.get("kind") in ("intent", "refusal", *_QUIET))


def differences(records: Iterable[Record]) -> Iterator[str]:
    """Each recorded decision that does not follow from its record, in words."""
    for record in decisions(records):
        told = record.get("refusal")
        try:
            found = decide(record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            yield f"record {record.get('seq')}: it cannot be replayed: {type(error).__name__}"
            continue
        if found != told and told not in _FREE:
            yield f"record {record['seq']}: says {told or 'end it'}; its evidence says {found or 'end it'}"


def decide(record: Record) -> Refusal | None:
    """What a record's evidence says: None where it allows the act.

    Raises ValueError, KeyError, TypeError or AttributeError for what is no such record.
    """
    if record["kind"] in _QUIET:
        _check_step(record)
        return None
    before = record["before"]
    if reason := stages_refusal(_stages(record["stages"]), None if before is None else Action(before)):
        return reason
    evidence = record["evidence"]
    if evidence is not None and (failed := failed_check(_evidence(evidence))) is not None:
        return failed.refusal
    if (look := record["look"]) is not None and (reason := refusal(_case(look))) is not None:
        return reason
    whole = evidence is not None and look is not None
    if record["kind"] == "intent" and not whole:
        raise ValueError("an intent without evidence")
    return None


def _check_step(record: Record) -> None:
    """Raise ValueError for a step that its policy did not ask for, or that it may not take."""
    if Mode(record["mode"]) is Mode.OBSERVE:
        raise ValueError("a step while it only observed")
    if record["kind"] == "snapshot":
        if not list(map(SnapshotPart, record["parts"])):
            raise ValueError("a snapshot of nothing")
    elif Channel.PANE_MESSAGE not in map(Channel, record["via"]) or record["up"] is not True:
        raise ValueError("a message that nobody asked for, or to a server that was not seen to answer")


def _stages(value: Iterable[tuple[str, str, float]]) -> tuple[Stage, ...]:
    return tuple(
        Stage(action=Action(action), signal=Signal(number), seconds=seconds)
        for action, number, seconds in value
    )


def _id(value: Iterable[int]) -> ProcessId:
    pid, start_ticks = value
    return ProcessId(int(pid), int(start_ticks))


def _evidence(value: Record) -> ProcessEvidence:
    members = tuple(TargetProcess(**{**each, "process": _id(each["process"])}) for each in value["members"])
    return ProcessEvidence(
        **{
            **value,
            "method": Method(value["method"]),
            "members": members,
            "children": tuple(map(_id, value["children"])),
            "own": frozenset(value["own"]),
            "allow": tuple(map(OptIn, value["allow"])),
        }
    )


def _case(value: Record) -> Case:
    terms = value["terms"]
    subject = _subject(value["subject"], value)
    return Case(
        subject=subject,
        report=_report(value, subject),
        policy=RecordedTerms(
            servers=tuple(terms["servers"]),
            max_age=terms["max_age"],
            remaining=terms["remaining"],
            warmup=terms["warmup"],
            allow=tuple(map(OptIn, terms["allow"])),
        ),
        moment=Moment(wall=value["wall"], monotonic=value["monotonic"]),
        own=frozenset(value["own"]),
        below=frozenset(value["below"]),
    )


def _report(value: Record, subject: Subject) -> Report:
    """A report that answers the vetoes as the recorded one did, and has nothing else in it."""
    return Report(
        timestamp=value["taken"],
        duration_seconds=0.0,
        interval_seconds=0.0,
        complete=True,
        samples={},
        servers=tuple(_server(each, value) for each in value["servers"]),
        sessions=tuple(_session(subject, clients) for clients in value["attached"]),
        panes=tuple(map(_pane, value["panes"])),
        agents=tuple(_agent("", "", "", _id(each)) for each in value["agents"]),
        collector_success={"processes": value["complete"]},
        problems=(Problem(source="", reason=""),) * value["problems"],
    )


def _judged_at(subject: Record, look: Record) -> float | None:
    """When a scheduler's look was taken; earlier ones without a server were judged by the whole sample."""
    if subject["judged_at"] is None and subject["state"] == SchedulerState.SERVERLESS:
        return _sampled_at(look)
    return None if subject["judged_at"] is None else float(subject["judged_at"])


def _sampled_at(look: Record) -> float:
    """When a sample began, monotonic."""
    return float(look["monotonic"] - (look["wall"] - look["taken"]))


def _listed_at(server: Record, look: Record) -> float | None:
    """When a server's listing was taken: earlier records tell only how old it was when the sample began."""
    if "listing_taken_at" in server:
        return None if server["listing_taken_at"] is None else float(server["listing_taken_at"])
    return None if server["listing_age"] is None else _sampled_at(look) - float(server["listing_age"])


def _subject(value: Record, look: Record) -> Subject:
    server, session, process = value["server"], value["session"], value["process"]
    if "state" in value:
        return SchedulerReport(
            server=server,
            session=session,
            state=SchedulerState(value["state"]),
            reason="",
            targets=(),
            process=_id(process),
            due_timestamp_seconds=value["due"],
            memory_bytes=None,
            cpu_seconds_total=0.0,
            open_fds=None,
            sleep=None if value["sleep"] is None else _id(value["sleep"]),
            aimed=tuple(value["aimed"]),
            judged_at=_judged_at(value, look),
            sockets=tuple(value.get("sockets", ())),
        )
    if "program" in value:
        return _agent(server, session, value["program"], None if process is None else _id(process))
    return LeakReport(
        server=server,
        session=session,
        pane="",
        kind=LeakKind(value["kind"]),
        reason="",
        name="",
        process=_id(process),
        start_time_seconds=0.0,
        memory_bytes=None,
        cpu_seconds_total=0.0,
        open_fds=None,
        by_marker=value.get("by_marker", False),
        by_folder=value.get("by_folder", False),
    )


_NOTHING = Usage.nothing()


def _server(value: Record, look: Record) -> ServerReport:
    problem = value["problem"]
    return ServerReport(
        server=value["server"],
        socket=value.get("socket", ""),
        version=None,
        pid=value["pid"],
        up=value["up"],
        held=value["held"],
        listing_age_seconds=value["listing_age"],
        sessions=None,
        windows=None,
        panes=None,
        clients=None,
        history_bytes=None,
        start_time_seconds=value["started"],
        resident_memory_bytes=None,
        cpu_seconds_total=None,
        open_fds=None,
        max_fds=None,
        query_duration=Histogram(bounds=(), counts=(), count=0, sum=0.0),
        query_failures={},
        problem=None if problem is None else Problem(source="", reason=problem),
        ended=value["ended"],
        listing_taken_at=_listed_at(value, look),
    )


def _session(subject: Subject, clients: int) -> SessionReport:
    return SessionReport(
        server=subject.server,
        session=subject.session,
        group="",
        created_timestamp_seconds=0,
        last_activity_timestamp_seconds=0,
        attached_clients=clients,
        history_bytes=0,
        windows=0,
        panes=0,
        usage=_NOTHING,
    )


def _pane(pid: int) -> PaneReport:
    return PaneReport(
        server="",
        session="",
        window="",
        pane="",
        window_name="",
        dead=False,
        history_bytes=0,
        history_lines=0,
        history_limit_lines=0,
        usage=_NOTHING,
        pid=pid,
    )


def _agent(server: str, session: str, program: str, process: ProcessId | None) -> AgentReport:
    return AgentReport(
        server=server,
        session=session,
        agent="",
        window="",
        pane="",
        program=program,
        version="",
        role="",
        window_name="",
        pid=process.pid if process else None,
        usage=_NOTHING,
        process=process,
    )

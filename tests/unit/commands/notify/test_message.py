"""What leaves the machine: of whatever Alertmanager posts, nothing but the closed list."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tmux_exporter.commands.notify.message import message

ALERT: dict[str, Any] = {
    "status": "firing",
    "labels": {
        "alertname": "TmuxAgentNearMemoryLimit", "priority": "P1", "instance": "127.0.0.1:10077",
        "session": "web shop", "agent": "lead", "server": "default", "job": "tmux",
    },
    "annotations": {
        "value": "95.1% (bound: more than 95% for 1m)", "culprits": "lead 1.5GiB",
        "command": "tmux-exporter explain agent:lead", "resolved": "It is below its bound again.",
        "description": "not sent", "summary": "not sent", "runbook_url": "http://127.0.0.1:10077/not-sent",
    },
    "startsAt": "2026-12-01T02:12:07.123Z",
    "endsAt": "2026-12-01T02:20:00Z",
    "generatorURL": "http://127.0.0.1:9090/not-sent",
}  # fmt: skip
MARK = "NOTSENT"
Words = dict[str, str]

words = st.text(max_size=8).map(lambda text: f"{MARK}{text}")
names = st.text(min_size=1, max_size=12)
SENT_LABELS = {"alertname", "priority", "host", "instance", "session", "agent"}
SENT_NOTES = {"value", "culprits", "command", "resolved"}


def posted(*alerts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"status": "firing", "alerts": list(alerts), "externalURL": "http://127.0.0.1:9093", **more}


def test_a_phone_shows_who_what_since_when_and_what_to_type() -> None:
    told = message(posted(ALERT), host="dev1")
    assert told is not None
    assert told.title == "[P1] An agent is near its memory limit: web shop/lead on dev1"
    assert told.text.splitlines() == [
        "TmuxAgentNearMemoryLimit: web shop/lead on dev1",
        "Value: 95.1% (bound: more than 95% for 1m)",
        "Since: 02:12 UTC, 2026-12-01",
        "Most: lead 1.5GiB",
        "First, on dev1:",
        "  tmux-exporter explain agent:lead",
    ]
    assert (told.priority, told.resolved) == ("P1", False)


def test_links_lead_to_where_a_phone_reaches_the_exporter() -> None:
    told = message(posted(ALERT), host="dev1", public_url="http://dev1.lan:10077")
    assert told is not None
    assert told.text.splitlines()[-2:] == [
        "Page: http://dev1.lan:10077/",
        "Runbook: http://dev1.lan:10077/runbooks/TmuxAgentNearMemoryLimit?session=web+shop&agent=lead",
    ]


def test_what_is_over_says_what_holds_now() -> None:
    told = message(posted(ALERT | {"status": "resolved"}), host="dev1")
    assert told is not None
    assert told.title.startswith("[P1 over] ")
    assert told.text.splitlines()[1:] == [
        "Now: It is below its bound again.",
        "Over: 02:12 UTC, 2026-12-01 to 02:20 UTC, 2026-12-01",
        "Last: 95.1% (bound: more than 95% for 1m)",
    ]


def test_several_are_counted_and_another_host_is_named() -> None:
    other = ALERT | {"labels": ALERT["labels"] | {"instance": "build2:10077", "agent": "tests"}}
    told = message(posted(*[other] * 12), host="dev1")
    assert told is not None
    assert told.title.endswith("web shop/tests on build2:10077 (12)")
    assert told.text.endswith("and 2 more")


def test_what_is_not_ours_is_not_sent() -> None:
    assert message(posted({"labels": {"alertname": "SecretProjectDown"}}), host="dev1") is None
    assert message({"alerts": "all"}, host="dev1") is None


@given(
    labels=st.dictionaries(names.filter(lambda name: name not in SENT_LABELS), words),
    notes=st.dictionaries(names.filter(lambda name: name not in SENT_NOTES), words),
    fields=st.dictionaries(names, words),
    group=st.dictionaries(names.filter(lambda name: name != "alerts"), words),
    times=words,
    priority=words,
)
def test_nothing_but_the_closed_list_leaves(
    *, labels: Words, notes: Words, fields: Words, group: Words, times: str, priority: str
) -> None:
    alert = fields | ALERT | {"startsAt": times, "endsAt": times}
    alert["labels"] = labels | ALERT["labels"] | {"priority": priority}
    alert["annotations"] = notes | ALERT["annotations"] | {"description": MARK, "summary": MARK}
    for status in ("firing", "resolved"):
        told = message(group | posted(alert | {"status": status}), host="dev1")
        assert told is not None
        assert MARK not in told.title + told.text
        assert "http" not in told.text
        assert "127.0.0.1" not in told.title + told.text
        assert "not-sent" not in told.text


@given(
    payload=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["alerts", "labels", "annotations", "alertname", "status"]), inner
            )
        ),
        max_leaves=12,
    )
)
def test_no_shape_of_a_message_is_an_error(payload: Any) -> None:
    if isinstance(payload, dict):
        message(payload, host="dev1")

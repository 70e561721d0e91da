"""The parser: what a listing is put together from, and what is refused whole."""

from dataclasses import replace

import pytest

from tests.support.tmux.printed import NONCE, answer, client_record, pane_record, server_record
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import Listing, QueryFailure, Session, Window, WindowLink
from tmux_exporter.sources.tmux import parse_listing
from tmux_exporter.sources.tmux.ask import Answer
from tmux_exporter.sources.tmux.parse_listing import ListingError, parse
from tmux_exporter.sources.tmux.query import VARIABLES, Record

SERVER = ProcessId(999, 12345)


def listing(*panes: str, asked_as: str | None = None) -> Listing:
    return parse(answer(server_record() + "".join(panes), asked_as=asked_as), SERVER)


def refusal(given: Answer) -> QueryFailure:
    with pytest.raises(ListingError) as caught:
        parse(given, SERVER)
    assert caught.value.detail
    return caught.value.failure


def test_one_pane() -> None:
    got = listing(pane_record(agent="worker", role="lead"))
    assert (got.server, got.version, got.clients, got.taken_at) == (SERVER, "3.3a", 0, 12.5)
    assert got.sessions == (
        Session(id="$0", name="main", created=1700000000, activity=1700000001, attached=0, group=""),
    )
    assert got.windows == (Window(id="@0", name="bash", automatic_rename=True, activity=1700000002),)
    assert got.links == (WindowLink(session_id="$0", window_id="@0", index=0, active=True),)
    pane = got.panes[0]
    assert (pane.id, pane.pid, pane.session_id, pane.window_id, pane.window_index, pane.index) == (
        ("%0", 4711, "$0", "@0", 0, 0)
    )
    assert (pane.history_lines, pane.history_limit_lines, pane.history_bytes) == (5, 2000, 768)
    assert (pane.active, pane.dead, pane.agent_option, pane.role_option) == (True, False, "worker", "lead")


def test_clients_are_counted() -> None:
    assert parse(answer(server_record() + client_record() * 3 + pane_record()), SERVER).clients == 3


@pytest.mark.parametrize("asked_as", ["3.3a", "3.8", "next-3.8"])
def test_a_dead_pane_has_no_pid_but_its_end(asked_as: str) -> None:
    for status, signal in (("3", ""), ("", "9"), ("", "")):
        record = pane_record(
            asked_as=asked_as, pane_dead="1", pane_dead_status=status, pane_dead_signal=signal
        )
        pane = listing(record, asked_as=asked_as).panes[0]
        assert (pane.dead, pane.pid) == (True, None)
        assert (pane.dead_status, pane.dead_signal) == tuple(int(x) if x else None for x in (status, signal))


@pytest.mark.parametrize("pid", ["", "0"])
def test_an_empty_pane_has_no_pid(pid: str) -> None:
    pane = listing(pane_record(pane_pid=pid)).panes[0]
    assert (pane.dead, pane.pid, pane.dead_status) == (False, None, None)


def test_a_server_without_a_session() -> None:
    got = parse(answer(server_record(), empty=True), SERVER)
    assert (got.version, got.panes, got.sessions, got.clients) == ("3.3a", (), (), 0)
    # 3.1 refuses the question for its version too where there is no session.
    assert parse(answer("", empty=True), SERVER).version == ""


HOSTILE = [
    "a:b:c", "tab\there", "line\nbreak", f"\n{NONCE[:-1]}", "#(touch /tmp/x)", "$(touch /tmp/x)", "'\"\\",
    "\u241e", "🦀" * 50, "x" * 200, "\udcff\udcfe", "p:%0:$0", "escaped by 3.4: \\037 \\377 \\$HOME", " ", "",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_come_through_as_they_are(text: str) -> None:
    got = listing(pane_record(session_name=text, session_group=text, window_name=text, agent=text, role=text))
    session, window, pane = got.sessions[0], got.windows[0], got.panes[0]
    assert {session.name, session.group, window.name, pane.agent_option, pane.role_option} == {text}


def test_a_linked_window_belongs_to_the_oldest_session_at_its_lowest_place() -> None:
    old = {"session_id": "$7", "session_created": "100", "session_name": "old", "agent": "of old"}
    twin = {"session_id": "$12", "session_created": "100", "session_name": "twin"}
    new = {"session_id": "$3", "session_created": "200", "session_name": "new", "agent": "of new"}
    got = listing(
        pane_record(**new, window_index="1"),
        pane_record(**twin, window_index="2"),
        pane_record(**old, window_index="9"),
        pane_record(**old, window_index="4", window_active="0"),
    )
    assert [(p.id, p.session_id, p.window_index, p.agent_option) for p in got.panes] == (
        [("%0", "$7", 4, "of old")]
    )
    assert [(link.session_id, link.index) for link in got.links] == (
        [("$3", 1), ("$7", 4), ("$7", 9), ("$12", 2)]
    )
    assert [session.id for session in got.sessions] == ["$3", "$7", "$12"]


def test_everything_is_sorted_by_number() -> None:
    got = listing(
        pane_record(pane_id="%10", window_id="@10", window_index="2", window_active="0"),
        pane_record(pane_id="%9", window_id="@9", window_index="10"),
    )
    assert [pane.id for pane in got.panes] == ["%9", "%10"]
    assert [window.id for window in got.windows] == ["@9", "@10"]
    assert [link.index for link in got.links] == [2, 10]


@pytest.mark.parametrize(
    "panes",
    [
        [pane_record(), pane_record()],
        [pane_record(), pane_record(pane_id="%1")],
        [pane_record(), pane_record(pane_id="%1", pane_active="0", window_name="other")],
        [pane_record(), pane_record(pane_id="%1", pane_active="0", session_name="other")],
        [pane_record(), pane_record(pane_id="%1", pane_active="0", window_id="@1")],
        [pane_record(), pane_record(window_id="@1", window_index="1", window_active="0")],
        [pane_record(), pane_record(pane_id="%1", window_id="@1", window_index="1")],
        [pane_record(), pane_record(session_id="$1", pane_pid="4712")],
        [pane_record(), pane_record(session_id="$1", history_bytes="1")],
        [pane_record(), pane_record(pane_id="%1", pane_active="0"), pane_record(session_id="$1")],
        [pane_record(), pane_record(pane_id="%1", session_id="$1")],
        [pane_record(pane_id="@0")],
        [pane_record(session_id="%0")],
        [pane_record(window_id="$0")],
        [pane_record(pane_pid=str(1 << 40))],
        [pane_record(pane_pid="9" * 18)],
    ],
)
def test_rows_that_contradict_each_other(panes: list[str]) -> None:
    assert refusal(answer(server_record() + "".join(panes))) is QueryFailure.MALFORMED


@pytest.mark.parametrize(
    "change",
    [
        {"pane_id": "0"}, {"pane_id": ""}, {"pane_id": "%" + "1" * 11}, {"window_index": ""},
        {"window_index": "-1"}, {"window_index": "1 "}, {"window_index": "١"}, {"pane_active": "2"},
        {"pane_dead": ""}, {"automatic_rename": "on"}, {"history_bytes": "1" * 19},
        {"session_created": "soon"}, {"session_attached": ""}, {"pane_pid": "-1"}, {"pane_pid": "1:2"},
    ],
)  # fmt: skip
def test_numbers_that_are_none(change: dict[str, str]) -> None:
    assert refusal(answer(server_record() + pane_record(**change))) is QueryFailure.MALFORMED


@pytest.mark.parametrize(
    "printed",
    [
        "", server_record(), pane_record(), server_record() * 2 + pane_record(),
        server_record() + pane_record()[:-1], server_record() + pane_record().replace("\n", "x\n"),
        server_record() + pane_record(session_name=NONCE),
        server_record() + pane_record() + f"{NONCE}q{NONCE}\n", server_record() + pane_record() + NONCE,
        server_record() + pane_record() + f"{NONCE}c:1{NONCE}\n", server_record(version="") + pane_record(),
        server_record(version="3.3a\n") + pane_record(), server_record(pid="") + pane_record(),
        server_record() + pane_record(asked_as="3.3a"),
    ],
)  # fmt: skip
def test_output_that_is_not_one_whole_listing(printed: str) -> None:
    assert refusal(answer(printed)) is QueryFailure.MALFORMED


def test_what_hooks_print_between_the_records_is_not_ours() -> None:
    hook = "p:%7:$7 said a hook\n and more\n"
    printed = hook + server_record() + hook + client_record() + hook + pane_record() + hook
    got = parse(answer(printed), SERVER)
    assert ([pane.id for pane in got.panes], got.clients) == (["%0"], 1)


def test_a_line_that_tmux_cut_short_is_noticed_wherever_it_was_cut() -> None:
    # tmux does so at any variable, and prints an empty line where it was cut before the first.
    whole = pane_record(pane_id="%1", window_id="@1", window_index="1", window_active="0")
    cuts = [0, len(f"{NONCE}p:")]
    cuts += [at for at in range(cuts[1], len(whole) - 1) if whole[at - 1] == ":"]
    cuts += [at for at in range(cuts[1], len(whole) - 1) if whole[:at].endswith(NONCE)]
    for cut in cuts:
        line = whole[:cut] + "\n"
        for printed in (
            server_record() + line + pane_record(),
            server_record() + pane_record() + line,
            server_record() + pane_record() + line + "a hook\n",
            server_record() + pane_record() + "a hook\n" + line,
            line + server_record() + pane_record() if cut == 0 else server_record() + line,
        ):
            assert refusal(answer(printed)) in (QueryFailure.PARTIAL, QueryFailure.MALFORMED)
        assert refusal(answer(server_record() + line + pane_record())) is QueryFailure.PARTIAL


def test_panes_of_a_server_that_says_it_has_none() -> None:
    assert refusal(answer(server_record() + pane_record(), empty=True)) is QueryFailure.MALFORMED


def test_every_cut_of_a_listing_is_refused() -> None:
    printed = server_record() + client_record() + pane_record() + pane_record(session_id="$1")
    # Where the second row's nonce has only begun it may as well be what a hook printed after the first row.
    first_row = len(server_record() + client_record() + pane_record())
    for cut in set(range(len(printed))) - set(range(first_row, first_row + len(NONCE))):
        assert refusal(answer(printed[:cut])) is QueryFailure.MALFORMED


def test_a_claim_to_be_another_process() -> None:
    assert refusal(answer(server_record(pid="1") + pane_record())) is QueryFailure.UNTRUSTED


def test_the_failure_of_the_answer_is_passed_on() -> None:
    failed = Answer(
        socket="/nowhere", seconds=2.0, sent_at=0.0, peer=None, stdout=b"", nonce=NONCE,
        failure=QueryFailure.HUNG, detail="no answer",
    )  # fmt: skip
    assert refusal(failed) is QueryFailure.HUNG


def test_more_rows_than_any_listing_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse_listing, "MAX_ROWS", 3)
    panes = [pane_record(pane_id=f"%{n}", pane_index=str(n), pane_active="0") for n in range(4)]
    assert len(listing(*panes[:3]).panes) == 3
    with pytest.raises(ListingError, match="more records than any listing"):
        listing(*panes)
    with pytest.raises(ListingError, match="more than 3 records of kind c"):
        parse(answer(server_record() + client_record() * 4 + panes[0]), SERVER)


@pytest.mark.parametrize(
    ("title", "sign"),
    [
        ("✳ SECRET", "✳"), ("⠂ SECRET", "⠂"), ("✋", "✋"), ("[ ! ] Action Required", "!"),
        ("[ . ] Action Required", "!"), ("[ x ] SECRET", ""), ("SECRET", ""), ("éSECRET", ""), ("名", ""),
        ("٣", ""), ("", ""), (" ✳", ""), ("\x1b✳", ""), ("\udcff", ""), ("\u202e✳", ""),
    ],
)  # fmt: skip
def test_of_a_title_only_its_sign_is_kept(title: str, sign: str) -> None:
    (pane,) = parse(answer(server_record() + pane_record(pane_title=title)), SERVER).panes
    assert pane.title_sign == sign
    assert "SECRET" not in repr(pane)


def test_nothing_dangerous_is_on_the_allow_list() -> None:
    names = [variable.name for variable in VARIABLES]
    assert len(names) == len(set(names))
    assert not [name for name in names if name.startswith(("client_", "buffer_"))]
    assert not [v for v in VARIABLES if v.record is Record.SERVER and v.name not in ("pid", "version")]


@pytest.mark.parametrize(
    ("value", "protected"),
    [("", False), ("off", False), ("no", False), ("0", False), ("on", True), ("1", True), ("please", True)],
)
def test_a_pane_is_protected_by_its_option(value: str, protected: bool) -> None:
    (pane,) = listing(pane_record(protect=value)).panes
    assert pane.protected is protected


def test_the_same_words_again_are_the_same_facts_at_another_time() -> None:
    text = server_record() + pane_record()
    first = parse(answer(text), SERVER)
    again = parse(replace(answer(text), sent_at=99.0), SERVER)
    assert again.panes[0] is first.panes[0]
    assert (first.taken_at, again.taken_at) == (12.5, 99.0)
    assert parse(answer(server_record() + pane_record(history_size="6")), SERVER).panes[0].history_lines == 6
    other = ProcessId(SERVER.pid, SERVER.start_ticks + 1)
    assert parse(answer(text), other).server == other

"""Any server that can be: printed as tmux prints it, it is parsed back; anything else is refused."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from tests.support.tmux.printed import NONCE, answer, client_record, pane_record, server_record
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import Listing, QueryFailure, WindowLink
from tmux_exporter.sources.tmux.parse_listing import ListingError, parse

SERVER = ProcessId(999, 1)

# Any bytes at all, as the parser hands them on; only the nonce cannot be known to whoever wrote them.
texts = (
    st.binary(max_size=30)
    .map(lambda b: b.decode("utf-8", "surrogateescape"))
    .filter(lambda text: NONCE not in text)
)
numbers = st.integers(0, 1 << 40)


@dataclass(frozen=True)
class World:
    """Windows with their panes, and sessions that show windows at places."""

    panes: dict[str, dict[str, dict[str, str]]]
    windows: dict[str, dict[str, str]]
    sessions: dict[str, dict[str, str]]
    places: dict[tuple[str, int], str]
    rows: list[str]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    window_count = draw(st.integers(1, 4))
    panes: dict[str, dict[str, dict[str, str]]] = {}
    windows: dict[str, dict[str, str]] = {}
    pane_ids = iter(draw(st.lists(st.integers(0, 9999), min_size=12, max_size=12, unique=True)))
    for number in draw(st.lists(st.integers(0, 9999), min_size=window_count, max_size=4, unique=True)):
        windows[f"@{number}"] = {
            "window_name": draw(texts),
            "automatic_rename": draw(st.sampled_from("01")),
            "window_activity": str(draw(numbers)),
        }
        panes[f"@{number}"] = {
            f"%{next(pane_ids)}": {
                "pane_index": str(index),
                "pane_active": "1" if index == 0 else "0",
                "pane_pid": draw(st.sampled_from(["", "0", "17", "4194304"])),
                "pane_dead": draw(st.sampled_from("01")),
                "history_size": str(draw(numbers)),
            }
            for index in range(draw(st.integers(1, 3)))
        }
    sessions = {
        f"${number}": {
            "session_name": draw(texts),
            "session_group": draw(texts),
            "session_created": str(draw(st.integers(1, 3))),
            "agent": draw(texts),
        }
        for number in draw(st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True))
    }
    places: dict[tuple[str, int], str] = {}
    for window in windows:
        for session, index in draw(
            st.lists(st.tuples(st.sampled_from(list(sessions)), st.integers(0, 20)), min_size=1, max_size=3)
        ):
            places.setdefault((session, index), window)
    rows = [
        pane_record(
            session_id=session, window_id=window, window_index=str(index), window_active="0", pane_id=pane,
            **sessions[session], **windows[window], **fields,
        )
        for (session, index), window in places.items()
        for pane, fields in panes[window].items()
    ]  # fmt: skip
    return World(panes, windows, sessions, places, draw(st.permutations(rows)))


def read(world: World, clients: int = 0) -> Listing:
    return parse(answer(server_record() + client_record() * clients + "".join(world.rows)), SERVER)


@given(worlds(), st.integers(0, 5))
def test_a_printed_server_is_parsed_back(world: World, clients: int) -> None:
    got = read(world, clients)
    shown = set(world.places.values())
    assert got.clients == clients
    assert set(got.links) == {
        WindowLink(session_id=session, window_id=window, index=index, active=False)
        for (session, index), window in world.places.items()
    }
    assert {window.id: window.name for window in got.windows} == {
        window: world.windows[window]["window_name"] for window in shown
    }
    assert {session.id: (session.name, session.group) for session in got.sessions} == {
        session: (world.sessions[session]["session_name"], world.sessions[session]["session_group"])
        for session, _ in world.places
    }
    assert {pane.id for pane in got.panes} == {pane for window in shown for pane in world.panes[window]}


@given(worlds())
def test_a_pane_comes_once_and_belongs_to_its_windows_oldest_session(world: World) -> None:
    got = read(world)
    assert len({pane.id for pane in got.panes}) == len(got.panes)
    for pane in got.panes:
        holders = [place for place, window in world.places.items() if window == pane.window_id]
        oldest = min(
            holders, key=lambda p: (int(world.sessions[p[0]]["session_created"]), int(p[0][1:]), p[1])
        )
        assert (pane.session_id, pane.window_index) == oldest
        assert pane.agent_option == world.sessions[oldest[0]]["agent"]
        facts = world.panes[pane.window_id][pane.id]
        dead, pid = facts["pane_dead"] == "1", facts["pane_pid"]
        assert pane.pid == (int(pid) if pid not in ("", "0") and not dead else None)


@given(worlds(), st.data())
def test_a_row_that_is_missing_or_doubled_is_noticed(world: World, data: st.DataObject) -> None:
    window, panes = data.draw(st.sampled_from(sorted(world.panes.items())))
    if len(panes) < 2 or list(world.places.values()).count(window) < 2:
        return
    at = data.draw(st.integers(0, len(world.rows) - 1).filter(lambda n: f":{window}:" in world.rows[n]))
    for rows in (world.rows[:at] + world.rows[at + 1 :], [*world.rows, world.rows[at]]):
        try:
            parse(answer(server_record() + "".join(rows)), SERVER)
        except ListingError as error:
            assert error.failure is QueryFailure.MALFORMED
        else:
            raise AssertionError("a listing with a missing or doubled row was taken")


@given(
    st.lists(st.sampled_from([NONCE, ":", "p", "s", "c", "\n", "%0", "$0", "@0", "1", "3.3a"]), max_size=60)
)
def test_pieces_of_a_listing_in_any_order_never_break_the_parser(pieces: list[str]) -> None:
    try:
        parse(answer("".join(pieces)), SERVER)
    except ListingError as error:
        assert error.failure in (QueryFailure.MALFORMED, QueryFailure.PARTIAL, QueryFailure.UNTRUSTED)


@given(worlds(), st.data())
def test_a_flipped_byte_is_refused_or_still_one_consistent_listing(world: World, data: st.DataObject) -> None:
    printed = (server_record() + "".join(world.rows)).encode("utf-8", "surrogateescape")
    at = data.draw(st.integers(0, len(printed) - 1))
    changed = bytearray(printed)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        got = parse(answer(bytes(changed).decode("utf-8", "surrogateescape")), SERVER)
    except ListingError:
        return
    assert {link.window_id for link in got.links} == {window.id for window in got.windows}
    assert {pane.window_id for pane in got.panes} == {window.id for window in got.windows}

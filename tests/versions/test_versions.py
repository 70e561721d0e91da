"""Never harm a server: real tmux of five Debian releases, each asked in every way and cut off at every byte.

Not part of the ordinary run: `make check-tmux` selects it, fetches the versions, and passes on how long each
server is asked without a pause (TMUX_EXPORTER_ASK_SECONDS, 20 by default). A version that cannot be fetched
fails; nothing is skipped.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tmux import checks
from tests.support.tmux.under_test import TmuxUnderTest, tmux_under_test
from tests.versions.get_tmux import RELEASES, get_tmux
from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.facts.tmux_quirks import LINES_CUT_OFTEN, VERSION_NEEDS_SESSION

ASK_SECONDS = float(os.environ.get("TMUX_EXPORTER_ASK_SECONDS", "20"))

pytestmark = pytest.mark.versions


@pytest.fixture(params=RELEASES)
def server(request: pytest.FixtureRequest, socket_dir: Path) -> Iterator[TmuxUnderTest]:
    with tmux_under_test(get_tmux(request.param), socket_dir / "default") as running:
        assert running.version == request.param
        yield running


def test_own_client_and_topology(server: TmuxUnderTest) -> None:
    checks.agrees_with_own_client(server)
    checks.furnish(server)
    checks.agrees_with_own_client(server)
    checks.topology_is_right(server)
    checks.clients_are_counted(server)


def test_every_allowed_variable_is_harmless(server: TmuxUnderTest) -> None:
    checks.furnish(server)
    checks.every_allowed_variable_is_harmless(server)


def test_hostile_names(server: TmuxUnderTest, socket_dir: Path) -> None:
    checks.names_come_through(server, socket_dir / "TOUCHED")


def test_what_is_protected(server: TmuxUnderTest) -> None:
    checks.a_pane_is_protected_from_above(server)


def test_hooks_of_the_users(server: TmuxUnderTest) -> None:
    checks.hooks_do_not_blind(server)


def test_every_cut_is_harmless(server: TmuxUnderTest) -> None:
    checks.furnish(server)
    checks.cuts_are_harmless(server)


def test_screens(server: TmuxUnderTest, tmp_path: Path) -> None:
    checks.screens_are_what_their_panes_show(server, tmp_path)
    checks.a_pane_that_is_gone_ends_the_screens(server)
    checks.cuts_of_screens_are_harmless(server)


def test_a_server_without_a_session(server: TmuxUnderTest) -> None:
    server.ok("set-option", "-s", "exit-empty", "off")
    server.ok("kill-session", "-t", "main")
    listing = server.listing()
    assert listing.version == ("" if VERSION_NEEDS_SESSION.holds(server.version) else server.version)
    assert (listing.sessions, listing.panes, listing.clients) == ((), (), 0)


def test_the_servers_own_program(server: TmuxUnderTest) -> None:
    checks.furnish(server)
    program = os.path.basename(os.readlink(f"/proc/{server.pid}/exe"))
    if program.startswith("tmux"):
        by_program, by_socket = server.listing(transport="client"), server.listing()
        assert (by_program.panes, by_program.windows) == (by_socket.panes, by_socket.windows)
    else:
        # Under a loader of its own the loader is what the kernel calls the program, and it must not be run.
        answer = server.ask(transport="client")
        assert answer.failure is QueryFailure.PROTOCOL
        assert f"no tmux but {program}" in answer.detail


def test_a_pause_in_the_answer(server: TmuxUnderTest) -> None:
    cut = checks.pauses_never_make_a_false_listing(server, 100)
    assert cut if LINES_CUT_OFTEN.holds(server.version) else cut < 10


@pytest.mark.timeout(ASK_SECONDS + 120)
def test_asking_without_a_pause(server: TmuxUnderTest) -> None:
    checks.furnish(server)
    assert checks.asks_for(server, ASK_SECONDS) > ASK_SECONDS
    checks.topology_is_right(server)
    checks.agrees_with_own_client(server)

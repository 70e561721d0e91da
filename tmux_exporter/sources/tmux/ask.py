"""Query many tmux servers at once, each with one request, under one deadline.

A stopped server delays no other. Before a byte is sent, the process that listens must be known and of our own
uid.
"""

import selectors
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.sources.tmux.answer import ExchangeResult, judge_listing, judge_screens
from tmux_exporter.sources.tmux.client_transport import ProgramError, ProgramExchange
from tmux_exporter.sources.tmux.query import command_list, new_nonce, screen_list
from tmux_exporter.sources.tmux.socket_transport import ConnectError, SocketExchange, connect

TRANSPORTS = ("auto", "socket", "client")
_LITTLE_ENDIAN = sys.byteorder == "little"
_ANOTHER_DIALECT = (QueryFailure.PROTOCOL, QueryFailure.MALFORMED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A server to query, by its absolute socket path; `version` is from its last answer, None if unknown.

    Asks for its listing or, if `screens` has ids of panes, for their screens.
    """

    socket: str
    version: str | None
    screens: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The result of one query; `stdout` counts only if `failure` is None.

    `peer` is the pid of the listening process, once it is known to be of our uid; also known if the server
    hangs. `sent_at` is monotonic. `asked_as` is the version for which the query was built. `empty`
    means that the server is alive and has no session.
    """

    socket: str
    seconds: float
    sent_at: float
    peer: int | None
    stdout: bytes
    nonce: str
    failure: QueryFailure | None
    detail: str
    asked_as: str | None = None
    empty: bool = False


def ask_all(
    questions: Sequence[Question], *, uid: int, timeout: float, transport: str, clock: Clock
) -> tuple[Answer, ...]:
    """Query every server at once; answers in the order of the questions, within `timeout` seconds.

    `transport` is `socket` (tmux's protocol), `client` (the server's own program) or `auto`: the socket, and
    the program if the protocol was not understood. Never raises because of a server.
    """
    if transport not in TRANSPORTS:
        raise ValueError(f"the transport is one of {', '.join(TRANSPORTS)}, not {transport!r}")
    deadline = clock.monotonic() + timeout
    # poll(2), because it needs no descriptor of its own.
    with selectors.PollSelector() as selector:
        asks = [_Ask(question, uid, transport, clock, selector) for question in questions]
        try:
            for ask in asks:
                ask.start()
            while not all(ask.done for ask in asks) and (left := deadline - clock.monotonic()) > 0:
                for key, events in selector.select(left):
                    key.data(key.fileobj, events)
                for ask in asks:
                    ask.advance()
        finally:
            for ask in asks:
                ask.close()
    return tuple(ask.answer() for ask in asks)


class _Ask:
    """One query in progress: over the socket, by the server's own program, or one after the other."""

    def __init__(
        self, question: Question, uid: int, transport: str, clock: Clock, selector: selectors.BaseSelector
    ) -> None:
        self._question = question
        self._uid = uid
        self._transport = "client" if transport == "auto" and not _LITTLE_ENDIAN else transport
        self._clock = clock
        self._selector = selector
        self._nonce = new_nonce()
        self._arguments = (
            screen_list(self._nonce, question.screens)
            if question.screens
            else command_list(self._nonce, question.version)
        )
        self._judge = judge_screens if question.screens else partial(judge_listing, nonce=self._nonce)
        self._sent_at = self._ended_at = clock.monotonic()
        self._peer: int | None = None
        self._exchange: SocketExchange | ProgramExchange | None = None
        self._outcome = ExchangeResult(
            failure=QueryFailure.HUNG, detail="no complete answer before the deadline"
        )
        self.done = False

    def start(self) -> None:
        """Connect, check the peer, and start the exchange."""
        self._sent_at = self._clock.monotonic()
        if self._transport != "client" and not _LITTLE_ENDIAN:
            self._end(
                ExchangeResult(
                    failure=QueryFailure.PROTOCOL, detail="the socket needs a little endian machine"
                )
            )
            return
        try:
            connection, self._peer = connect(self._question.socket, self._uid)
        except ConnectError as error:
            self._end(ExchangeResult(failure=error.failure, detail=error.detail))
            return
        if self._transport == "client":
            connection.close()
            self._run_program(self._peer, None)
        else:
            self._exchange = SocketExchange(connection, self._arguments, self._judge, self._selector)

    def advance(self) -> None:
        """Proceed once the exchange has ended: try the other transport, or finish."""
        exchange = self._exchange
        if exchange is None or exchange.outcome is None or self.done:
            return
        exchange.close()
        outcome = exchange.outcome
        first = isinstance(exchange, SocketExchange)
        if first and self._transport == "auto" and outcome.failure in _ANOTHER_DIALECT and self._peer:
            self._run_program(self._peer, outcome)
        else:
            self._end(outcome)

    def close(self) -> None:
        """Close the exchange, finished or not."""
        if self._exchange is not None:
            self._exchange.close()
        if not self.done:
            self._end(self._outcome)

    def answer(self) -> Answer:
        """The result."""
        outcome = self._outcome
        return Answer(
            socket=self._question.socket,
            seconds=self._ended_at - self._sent_at,
            sent_at=self._sent_at,
            peer=self._peer,
            stdout=outcome.stdout,
            nonce=self._nonce,
            failure=outcome.failure,
            detail=outcome.detail,
            asked_as=self._question.version,
            empty=outcome.empty,
        )

    def _run_program(self, peer: int, before: ExchangeResult | None) -> None:
        try:
            self._exchange = ProgramExchange(
                (self._question.socket, peer), self._uid, self._arguments, self._judge, self._selector
            )
        except ProgramError as error:
            if before is None:
                self._end(ExchangeResult(failure=QueryFailure.PROTOCOL, detail=str(error)))
            else:
                self._end(ExchangeResult(failure=before.failure, detail=f"{before.detail}; {error}"))

    def _end(self, outcome: ExchangeResult) -> None:
        self.done = True
        self._outcome = outcome
        self._ended_at = self._clock.monotonic()

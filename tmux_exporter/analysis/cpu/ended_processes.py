"""What processes that ended had used, and which of their ancestors can have got it.

When a parent waits for a child, all that the child used and all it had from its own children is added to the
parent's figures, at once. What had been counted of the child by then is a debt on the parent: so much of its
growth is nothing new. Who the debt is on is not always certain, as no two processes are looked at in the same
moment:

- The growth may have shown before the child was missed (the parent was looked at after it had waited, the
  child before it ended), or may show one look later. So a debt is open until every ancestor has been looked
  at once more, and until then its amount is withheld from all whose growth can hold it.
- A parent that is still there at that look is the only one who can have it. Else the child may have become an
  orphan: any ancestor that adopts orphans may have it, and the nearest whose growth can hold it is charged.
- Growth that is smaller than the debt, in any figure, does not hold it: then the parent ignores its children,
  nobody got anything, and nothing is charged.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from tmux_exporter.analysis.cpu.parents import ProcessTree, UnknownParent
from tmux_exporter.analysis.cpu.process_counter import EACH, NOTHING, UNKNOWN_AMOUNT, Amount
from tmux_exporter.facts.process import Process, ProcessId

_HOLDS_ALL = 0b111

Growth = Mapping[ProcessId, Amount]


@dataclass(slots=True)
class EndedProcess:
    """One process that ended. `needs` is what it had shown, `amount` what of that counts no more.

    `possible` are the processes whose growth can hold it, with one bit for each figure; `shown` those
    that have shown such growth, while the others hide it or had no beginning. `certain` means that `reaper`,
    the nearest ancestor that is present, was its parent when it was last seen. `ancestors` are all that are
    present and may have got it, `lost` if there may be others. `fresh` until the reading in which it was
    opened is over. `reaped_uncounted` if the heir is not counted and has got it, as far as one can see.
    """

    needs: Amount
    amount: Amount
    reaper: Process | UnknownParent | None
    certain: bool
    ancestors: set[ProcessId]
    lost: bool
    fresh: bool = True
    reaped_uncounted: bool = False
    possible: dict[ProcessId, int] = field(default_factory=dict)
    shown: set[ProcessId] = field(default_factory=set)

    def notice(self, ancestor: ProcessId, growth: Amount) -> None:
        """Take into account how a possible holder has grown."""
        bits = 0
        for each in EACH:
            if self.needs[each] <= growth[each]:
                bits |= 1 << each
                if self.needs[each] > 0 and growth[each] < UNKNOWN_AMOUNT:
                    self.shown.add(ancestor)
        if bits:
            self.possible[ancestor] = self.possible.get(ancestor, 0) | bits

    def charged_to(self, accounts: Mapping[ProcessId, frozenset[object] | None]) -> list[ProcessId]:
        """Who is charged in the end; `accounts` tells where each pays what it inherits, None for a sink.

        Where several can hold it, as many are charged as it takes for every account to be charged that one of
        them pays into: an account is rather short than over. What sinks get is nobody's, and may be over: one
        of them is charged if nobody else is.
        """
        reaper = self.reaper.id if isinstance(self.reaper, Process) else None
        able = sorted(ancestor for ancestor, bits in self.possible.items() if bits == _HOLDS_ALL)
        if self.certain:
            return [reaper] if reaper in able else []
        found: list[ProcessId] = []
        paid: frozenset[object] = frozenset()
        if reaper in able:
            found.append(reaper)
            paid = (reaper in self.shown and accounts.get(reaper)) or paid
        own = [(each in self.shown, account, each) for each in able if (account := accounts.get(each))]
        for has_shown, account, each in sorted(own, key=lambda one: (one[0], len(one[1])), reverse=True):
            if each != reaper and not account <= paid:
                found.append(each)
                paid |= account if has_shown else frozenset()
        return found or [each for each in able if each in accounts][:1]


class EndedProcesses:
    """The open debts."""

    def __init__(self, tree: ProcessTree) -> None:
        self._tree = tree
        self._open: list[EndedProcess] = []

    def add(self, ended: Process, needs: Amount, amount: Amount) -> None:
        """Open the debt of a process that has ended."""
        reaper = self._tree.nearest_live_ancestor(ended)
        if reaper is None or amount == NOTHING:
            return
        certain = isinstance(reaper, Process) and reaper is self._tree.parent(ended)
        ancestors, lost = self._tree.live_ancestors(ended)
        self._open.append(
            EndedProcess(
                needs=needs, amount=amount, reaper=reaper, certain=certain, ancestors=ancestors, lost=lost
            )
        )

    def notice(
        self,
        ended: Mapping[ProcessId, Process],
        before: Growth,
        now: Growth,
        counted: Container[ProcessId],
    ) -> None:
        """Take in one reading: who has ended, how all grew in it and in the one before, who is counted."""
        both = {**before, **now}
        for child in self._open:
            self._follow_ended_ancestors(child, ended)
        self._open = [child for child in self._open if child.reaper is not None]
        for child in self._open:
            if isinstance(child.reaper, Process):
                self._observe_reaper(child, child.reaper, now, is_counted=child.reaper.id in counted)
            for ancestor in self._possible(child, both if child.fresh else now):
                child.notice(ancestor, now.get(ancestor, NOTHING))
                if child.fresh:
                    child.notice(ancestor, before.get(ancestor, NOTHING))

    def settle(self) -> list[EndedProcess]:
        """Take out what is due after a complete reading: all possible holders have been looked at since."""
        due = [child for child in self._open if not child.fresh]
        self._open = [child for child in self._open if child.fresh]
        for child in self._open:
            child.fresh = False
        return due

    def withheld(self) -> dict[ProcessId, list[int]]:
        """What the open debts withhold from each process that can hold them."""
        found: dict[ProcessId, list[int]] = {}
        for child in self._open:
            for ancestor, bits in child.possible.items():
                amounts = found.setdefault(ancestor, [0, 0, 0])
                for each in EACH:
                    if bits & 1 << each:
                        amounts[each] += child.amount[each]
        return found

    def _follow_ended_ancestors(self, child: EndedProcess, ended: Mapping[ProcessId, Process]) -> None:
        """Let the heirs of those who have ended themselves hold what these held."""
        for process_id in child.ancestors & ended.keys():
            ancestors, lost = self._tree.live_ancestors(ended[process_id])
            child.ancestors = (child.ancestors - {process_id}) | ancestors
            child.lost |= lost
        for ancestor in [each for each in child.possible if each in ended]:
            bits = child.possible.pop(ancestor)
            reaper = self._tree.nearest_live_ancestor(ended[ancestor])
            if isinstance(reaper, Process):
                child.possible[reaper.id] = child.possible.get(reaper.id, 0) | bits
                if ancestor in child.shown:
                    child.shown.add(reaper.id)
        if isinstance(child.reaper, Process) and child.reaper.id in ended:
            # What somebody who is not counted had got is in his own debt.
            child.reaper = None if child.reaped_uncounted else self._tree.nearest_live_ancestor(child.reaper)
            child.certain = False
            child.fresh = True
        elif child.certain and isinstance(child.reaper, Process):
            child.certain = self._tree.can_wait(child.reaper)

    def _observe_reaper(
        self, child: EndedProcess, reaper: Process, grown: Growth, *, is_counted: bool
    ) -> None:
        if not is_counted and self._tree.has_waited_for(reaper, child.needs[0]):
            # Of somebody who is not counted himself no more than this is known.
            child.possible[reaper.id] = _HOLDS_ALL
            child.shown.add(reaper.id)
            child.reaped_uncounted = True
        seen = self._tree.present[reaper.id.pid]
        if seen.read_bytes is None or seen.written_bytes is None:
            # Who waited for a child may have got its bytes where nobody can see them.
            ticks, read, written = grown.get(reaper.id, NOTHING)
            child.notice(
                reaper.id,
                (
                    ticks,
                    UNKNOWN_AMOUNT if seen.read_bytes is None else read,
                    UNKNOWN_AMOUNT if seen.written_bytes is None else written,
                ),
            )

    def _possible(self, child: EndedProcess, grown: Growth) -> Iterable[ProcessId]:
        return grown.keys() if child.lost else child.ancestors & grown.keys()

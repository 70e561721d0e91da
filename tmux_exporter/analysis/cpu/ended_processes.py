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

from tmux_exporter.analysis.cpu.parents import Kinship, Lost
from tmux_exporter.analysis.cpu.process_counter import ALL_OF_IT, EACH, NOTHING, Amount
from tmux_exporter.facts.process import Process, ProcessId

_HOLDS_ALL = 0b111

Growth = Mapping[ProcessId, Amount]


@dataclass(slots=True)
class Debt:
    """One process that ended. `needs` is what it had shown, `amount` what of that counts no more.

    `holders` are the processes whose growth can hold it, with one bit for each figure that can; `shown` those
    that have shown such growth, while the others hide it or had no beginning. `certain` means that `heir`,
    the nearest ancestor that is present, was its parent when it was last seen. `ancestors` are all that are
    present and may have got it, `lost` if there may be others. `fresh` until the reading in which it was
    opened is over. `is_strangers` if the heir is not counted and has got it, as far as one can see.
    """

    needs: Amount
    amount: Amount
    heir: Process | Lost | None
    certain: bool
    ancestors: set[ProcessId]
    lost: bool
    fresh: bool = True
    is_strangers: bool = False
    holders: dict[ProcessId, int] = field(default_factory=dict)
    shown: set[ProcessId] = field(default_factory=set)

    def notice(self, holder: ProcessId, growth: Amount) -> None:
        """Take into account how a possible holder has grown."""
        bits = 0
        for each in EACH:
            if self.needs[each] <= growth[each]:
                bits |= 1 << each
                if self.needs[each] > 0 and growth[each] < ALL_OF_IT:
                    self.shown.add(holder)
        if bits:
            self.holders[holder] = self.holders.get(holder, 0) | bits

    def charged(self, accounts: Mapping[ProcessId, frozenset[object] | None]) -> list[ProcessId]:
        """Who is charged in the end; `accounts` tells where each pays what it inherits, None for a sink.

        Where several can hold it, as many are charged as it takes for every account to be charged that one of
        them pays into: an account is rather short than over. What sinks get is nobody's, and may be over: one
        of them is charged if nobody else is.
        """
        heir = self.heir.id if isinstance(self.heir, Process) else None
        able = sorted(holder for holder, bits in self.holders.items() if bits == _HOLDS_ALL)
        if self.certain:
            return [heir] if heir in able else []
        found: list[ProcessId] = []
        paid: frozenset[object] = frozenset()
        if heir in able:
            found.append(heir)
            paid = (heir in self.shown and accounts.get(heir)) or paid
        own = [(each in self.shown, account, each) for each in able if (account := accounts.get(each))]
        for has_shown, account, each in sorted(own, key=lambda one: (one[0], len(one[1])), reverse=True):
            if each != heir and not account <= paid:
                found.append(each)
                paid |= account if has_shown else frozenset()
        return found or [each for each in able if each in accounts][:1]


class Debts:
    """The open debts."""

    def __init__(self, kinship: Kinship) -> None:
        self._kinship = kinship
        self._open: list[Debt] = []

    def add(self, ended: Process, needs: Amount, amount: Amount) -> None:
        """Open the debt of a process that has ended."""
        heir = self._kinship.survivor(ended)
        if heir is None or amount == NOTHING:
            return
        certain = isinstance(heir, Process) and heir is self._kinship.parent(ended)
        ancestors, lost = self._kinship.ancestry(ended)
        self._open.append(
            Debt(needs=needs, amount=amount, heir=heir, certain=certain, ancestors=ancestors, lost=lost)
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
        for debt in self._open:
            self._pass_on(debt, ended)
        self._open = [debt for debt in self._open if debt.heir is not None]
        for debt in self._open:
            if isinstance(debt.heir, Process):
                self._notice_heir(debt, debt.heir, now, is_counted=debt.heir.id in counted)
            for holder in self._possible(debt, both if debt.fresh else now):
                debt.notice(holder, now.get(holder, NOTHING))
                if debt.fresh:
                    debt.notice(holder, before.get(holder, NOTHING))

    def settle(self) -> list[Debt]:
        """Take out what is due after a complete reading: all possible holders have been looked at since."""
        due = [debt for debt in self._open if not debt.fresh]
        self._open = [debt for debt in self._open if debt.fresh]
        for debt in self._open:
            debt.fresh = False
        return due

    def withheld(self) -> dict[ProcessId, list[int]]:
        """What the open debts withhold from each process that can hold them."""
        found: dict[ProcessId, list[int]] = {}
        for debt in self._open:
            for holder, bits in debt.holders.items():
                amounts = found.setdefault(holder, [0, 0, 0])
                for each in EACH:
                    if bits & 1 << each:
                        amounts[each] += debt.amount[each]
        return found

    def _pass_on(self, debt: Debt, ended: Mapping[ProcessId, Process]) -> None:
        """Let the heirs of those who have ended themselves hold what these held."""
        for process_id in debt.ancestors & ended.keys():
            ancestors, lost = self._kinship.ancestry(ended[process_id])
            debt.ancestors = (debt.ancestors - {process_id}) | ancestors
            debt.lost |= lost
        for holder in [each for each in debt.holders if each in ended]:
            bits = debt.holders.pop(holder)
            heir = self._kinship.survivor(ended[holder])
            if isinstance(heir, Process):
                debt.holders[heir.id] = debt.holders.get(heir.id, 0) | bits
                if holder in debt.shown:
                    debt.shown.add(heir.id)
        if isinstance(debt.heir, Process) and debt.heir.id in ended:
            # What somebody who is not counted had got is in his own debt.
            debt.heir = None if debt.is_strangers else self._kinship.survivor(debt.heir)
            debt.certain = False
            debt.fresh = True
        elif debt.certain and isinstance(debt.heir, Process):
            debt.certain = self._kinship.can_wait(debt.heir)

    def _notice_heir(self, debt: Debt, heir: Process, grown: Growth, *, is_counted: bool) -> None:
        if not is_counted and self._kinship.has_waited_for(heir, debt.needs[0]):
            # Of somebody who is not counted himself no more than this is known.
            debt.holders[heir.id] = _HOLDS_ALL
            debt.shown.add(heir.id)
            debt.is_strangers = True
        seen = self._kinship.present[heir.id.pid]
        if seen.read_bytes is None or seen.written_bytes is None:
            # Who waited for a child may have got its bytes where nobody can see them.
            ticks, read, written = grown.get(heir.id, NOTHING)
            debt.notice(
                heir.id,
                (
                    ticks,
                    ALL_OF_IT if seen.read_bytes is None else read,
                    ALL_OF_IT if seen.written_bytes is None else written,
                ),
            )

    def _possible(self, debt: Debt, grown: Growth) -> Iterable[ProcessId]:
        return grown.keys() if debt.lost else debt.ancestors & grown.keys()

"""Ended processes: which ancestor reaped each, so that usage counted for the child is not counted twice.

When a parent reaps a child, the kernel adds the usage of the child and of the child's own reaped children to
the parent's figures at once. The part that was already counted for the child must then be subtracted from the
parent's growth. Which process reaped the child is not always certain, because no two processes are read at
the same moment:

- The parent's growth may show before the child is found to have ended (the child was read before it ended,
  the parent after it reaped), or one sample later. So an ended process stays unsettled until every ancestor
  was read once more. Until then the counted usage is withheld from every ancestor whose growth is large
  enough.
- A parent that is still alive then is the only possible reaper. Otherwise the child may have been reparented:
  any ancestor that is a subreaper may have reaped it, and the nearest one whose growth is large enough is
  charged.
- An ancestor whose growth is smaller than the child's usage, in any figure, did not reap it. If no growth is
  large enough, the parent ignores SIGCHLD, nobody got the usage, and nothing is charged.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from tmux_exporter.analysis.cpu.parents import ProcessTree, UnknownParent
from tmux_exporter.analysis.cpu.process_counters import EACH, NOTHING, UNKNOWN_AMOUNT, Amount
from tmux_exporter.facts.process import Process, ProcessId

_FITS_ALL = 0b111

Growth = Mapping[ProcessId, Amount]


@dataclass(slots=True)
class EndedProcess:
    """One process that ended: its last `usage`, and the part of it that is already `counted`.

    `reaper` is the nearest ancestor that is present; `certain`: it was the parent when last read.
    `ancestors` are all present ancestors; `has_unknown`: there may be others. `candidates` are the processes
    whose growth is large enough, with one bit for each figure; `grown` are those whose growth was seen, not
    only possible. `fresh` until the sample that found the end is over. `reaped_uncounted`: the reaper is not
    counted itself, and its figures show that it reaped the process.
    """

    usage: Amount
    counted: Amount
    reaper: Process | UnknownParent | None
    certain: bool
    ancestors: set[ProcessId]
    has_unknown: bool
    fresh: bool = True
    reaped_uncounted: bool = False
    candidates: dict[ProcessId, int] = field(default_factory=dict)
    grown: set[ProcessId] = field(default_factory=set)

    def observe(self, ancestor: ProcessId, growth: Amount) -> None:
        """Note the growth of an ancestor; it becomes a candidate where the growth is large enough."""
        bits = 0
        for each in EACH:
            if self.usage[each] <= growth[each]:
                bits |= 1 << each
                if self.usage[each] > 0 and growth[each] < UNKNOWN_AMOUNT:
                    self.grown.add(ancestor)
        if bits:
            self.candidates[ancestor] = self.candidates.get(ancestor, 0) | bits

    def charged_to(self, keys_of: Mapping[ProcessId, frozenset[object] | None]) -> list[ProcessId]:
        """The processes from whose growth the counted usage is subtracted; `keys_of` as in `advance`.

        Where several candidates are left, enough of them are charged that every counter they feed is charged
        once: when in doubt, undercount. A catch-all is charged only if no other candidate is: its counters
        may be too high.
        """
        reaper = self.reaper.id if isinstance(self.reaper, Process) else None
        fitting = sorted(ancestor for ancestor, bits in self.candidates.items() if bits == _FITS_ALL)
        if self.certain:
            return [reaper] if reaper in fitting else []
        found: list[ProcessId] = []
        charged: frozenset[object] = frozenset()
        if reaper in fitting:
            found.append(reaper)
            charged = (reaper in self.grown and keys_of.get(reaper)) or charged
        own = [(each in self.grown, keys, each) for each in fitting if (keys := keys_of.get(each))]
        for has_grown, keys, each in sorted(own, key=lambda one: (one[0], len(one[1])), reverse=True):
            if each != reaper and not keys <= charged:
                found.append(each)
                charged |= keys if has_grown else frozenset()
        return found or [each for each in fitting if each in keys_of][:1]


class EndedProcesses:
    """The ended processes that are not settled yet."""

    def __init__(self, tree: ProcessTree) -> None:
        self._tree = tree
        self._unsettled: list[EndedProcess] = []

    def add(self, ended: Process, usage: Amount, amount: Amount) -> None:
        """Add a process that has ended; `amount` of its `usage` is already counted."""
        reaper = self._tree.nearest_live_ancestor(ended)
        if reaper is None or amount == NOTHING:
            return
        certain = isinstance(reaper, Process) and reaper is self._tree.parent(ended)
        ancestors, has_unknown = self._tree.live_ancestors(ended)
        self._unsettled.append(
            EndedProcess(
                usage=usage,
                counted=amount,
                reaper=reaper,
                certain=certain,
                ancestors=ancestors,
                has_unknown=has_unknown,
            )
        )

    def observe(
        self,
        ended: Mapping[ProcessId, Process],
        before: Growth,
        now: Growth,
        counted: Container[ProcessId],
    ) -> None:
        """Process one sample: `ended` processes, growth `before` and `now`, and the `counted` processes."""
        both = {**before, **now}
        for child in self._unsettled:
            self._follow_ended_ancestors(child, ended)
        self._unsettled = [child for child in self._unsettled if child.reaper is not None]
        for child in self._unsettled:
            if isinstance(child.reaper, Process):
                self._observe_reaper(child, child.reaper, now, is_counted=child.reaper.id in counted)
            for ancestor in self._possible(child, both if child.fresh else now):
                child.observe(ancestor, now.get(ancestor, NOTHING))
                if child.fresh:
                    child.observe(ancestor, before.get(ancestor, NOTHING))

    def settle(self) -> list[EndedProcess]:
        """Remove and return those that are due after a complete sample: every ancestor was read since."""
        due = [child for child in self._unsettled if not child.fresh]
        self._unsettled = [child for child in self._unsettled if child.fresh]
        for child in self._unsettled:
            child.fresh = False
        return due

    def withheld(self) -> dict[ProcessId, list[int]]:
        """Usage withheld from the growth of each candidate until its ended processes are settled."""
        found: dict[ProcessId, list[int]] = {}
        for child in self._unsettled:
            for ancestor, bits in child.candidates.items():
                amounts = found.setdefault(ancestor, [0, 0, 0])
                for each in EACH:
                    if bits & 1 << each:
                        amounts[each] += child.counted[each]
        return found

    def _follow_ended_ancestors(self, child: EndedProcess, ended: Mapping[ProcessId, Process]) -> None:
        """Replace ancestors that have ended themselves by their own reapers."""
        for process_id in child.ancestors & ended.keys():
            ancestors, has_unknown = self._tree.live_ancestors(ended[process_id])
            child.ancestors = (child.ancestors - {process_id}) | ancestors
            child.has_unknown |= has_unknown
        for ancestor in [each for each in child.candidates if each in ended]:
            bits = child.candidates.pop(ancestor)
            reaper = self._tree.nearest_live_ancestor(ended[ancestor])
            if isinstance(reaper, Process):
                child.candidates[reaper.id] = child.candidates.get(reaper.id, 0) | bits
                if ancestor in child.grown:
                    child.grown.add(reaper.id)
        if isinstance(child.reaper, Process) and child.reaper.id in ended:
            # An uncounted reaper is unsettled itself, with all that it reaped.
            child.reaper = None if child.reaped_uncounted else self._tree.nearest_live_ancestor(child.reaper)
            child.certain = False
            child.fresh = True
        elif child.certain and isinstance(child.reaper, Process):
            child.certain = self._tree.can_wait(child.reaper)

    def _observe_reaper(
        self, child: EndedProcess, reaper: Process, growth: Growth, *, is_counted: bool
    ) -> None:
        if not is_counted and self._tree.has_waited_for(reaper, child.usage[0]):
            # Nothing more is known of a process that is not counted.
            child.candidates[reaper.id] = _FITS_ALL
            child.grown.add(reaper.id)
            child.reaped_uncounted = True
        seen = self._tree.present[reaper.id.pid]
        if seen.read_bytes is None or seen.written_bytes is None:
            # The bytes of a reaped child may be in figures that are not readable.
            ticks, read, written = growth.get(reaper.id, NOTHING)
            child.observe(
                reaper.id,
                (
                    ticks,
                    UNKNOWN_AMOUNT if seen.read_bytes is None else read,
                    UNKNOWN_AMOUNT if seen.written_bytes is None else written,
                ),
            )

    def _possible(self, child: EndedProcess, growth: Growth) -> Iterable[ProcessId]:
        return growth.keys() if child.has_unknown else child.ancestors & growth.keys()

"""What an agent that lives keeps starting and never ends: many processes of one command line.

None of it is leaked, for its parent is there; and yet nobody waits for it.
"""

from collections import Counter
from collections.abc import Iterable

from tmux_exporter.facts.process import Process


def largest_hoard(members: Iterable[Process]) -> tuple[int, tuple[str, ...]]:
    """How many living members run one and the same command line, and which; of two the first."""
    found = [each.argv for each in members if each.argv and each.alive]
    if len(found) < 2:
        return len(found), found[0] if found else ()
    argv, count = Counter(found).most_common(1)[0]
    return count, argv

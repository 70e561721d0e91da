"""Alerts about what outlived the pane that started it."""

from tmux_exporter.alerting.base.growth import grows
from tmux_exporter.alerting.base.scope import SERVER, SESSION_OR_GONE, SIZE, TIME, Rule, Scope
from tmux_exporter.alerting.recording.servers import LEAKED_MEMORY, LEAKED_PROCESSES


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The rules of this subject."""
    return (_growing(scope), _memory(scope), _old(scope))


def _growing(scope: Scope) -> Rule:
    return scope.alert(
        "TmuxLeaksGrowing",
        "leaks_grow",
        grows(scope, LEAKED_PROCESSES, "server", "leaks_grow"),
        summary="More and more processes outlive the panes that started them.",
        description=f"There are {{{{ $value }}}} more leaked processes of {SERVER} than an hour ago, "
        f"and more in "
        "each quarter of the hour.",
    )


def _memory(scope: Scope) -> Rule:
    return scope.alert(
        "TmuxLeakedMemory",
        "leaked_memory",
        f"{scope.series(LEAKED_MEMORY)} > {scope.number('leaked_memory', 'bytes')}",
        summary="Leaked processes hold much memory.",
        description=f"Processes that outlived their panes of {SERVER} hold {SIZE} of memory.",
    )


def _old(scope: Scope) -> Rule:
    oldest = scope.series("tmux_leaked_oldest_start_time_seconds")
    return scope.alert(
        "TmuxLeakOld",
        "leak_old",
        f"time() - {oldest}\n> {scope.number('leak_old', 'seconds')}",
        summary="A leaked process has been there for long.",
        description=f"The oldest leaked process ({{{{ $labels.kind }}}}) of {SESSION_OR_GONE} is {TIME} old.",
    )

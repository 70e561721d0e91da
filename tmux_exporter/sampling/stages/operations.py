"""Stage: operations that programs report, and tmux commands that the kernel shows."""

from tmux_exporter.analysis.operations.operations import OperationCounters
from tmux_exporter.analysis.operations.tmux_commands import TmuxCommandCounters
from tmux_exporter.base.clock import Clock
from tmux_exporter.config import Config
from tmux_exporter.facts.process import ProcessTable
from tmux_exporter.facts.report import CommandsReport, OperationsReport
from tmux_exporter.facts.tmux import TmuxView
from tmux_exporter.sampling.stages.protocols import CommandSource, OperationSource

OWN_PROC = "/proc"


class OperationStage:
    """Reads both; counts them since the start."""

    def __init__(
        self,
        clock: Clock,
        operations: OperationCounters | None,
        reports: OperationSource | None,
        commands: CommandSource | None,
    ) -> None:
        """`reports` feeds `operations`; None where nobody does."""
        self._clock = clock
        self._operations = operations or OperationCounters()
        self._reports = reports
        self._commands = commands
        self._counts = TmuxCommandCounters()

    def configure(self, config: Config) -> None:
        """Watch commands, or not, from now on."""
        if self._commands:
            settings = config.operations
            self._commands.configure(
                wanted=settings.watch_commands, most_per_second=settings.max_execs_per_second
            )

    def operations(self, table: ProcessTable, config: Config) -> OperationsReport | None:
        """What programs reported; None where another exporter gets it."""
        settings = config.operations
        # The kernel names senders as we know them; under another root the table may know them otherwise.
        judges = table.complete and config.processes.root == OWN_PROC

        def read() -> OperationsReport:
            self._operations.configure(
                settings.names,
                settings.max_names,
                exemplars=settings.exemplars,
                objectives=settings.objectives,
            )
            return self._operations.report(
                table.processes.keys() if judges else None, self._clock.monotonic()
            )

        return self._reports.read(read) if self._reports else read()

    def commands(self, view: TmuxView) -> tuple[CommandsReport | None, dict[str, bool]]:
        """The tmux commands that were seen, and whether the kernel shows them where that is wanted."""
        batch = self._commands.take_ended() if self._commands else None
        if batch is None:
            return None, {}
        servers = {each.socket: each.label for each in view.servers}
        return self._counts.report(batch, servers, view.canonical_paths), {"commands": batch.listening}

    def succeeded(self, operations: OperationsReport | None) -> dict[str, bool]:
        """Whether reports come to us, where somebody could send any."""
        return {"operations": operations is not None} if self._reports else {}

"""Entry points of both programs. Ctrl-C ends them with exit code 130 and without a traceback.

`op`, `hook` and `statusline` must start quickly, so this module imports nothing before it knows what to run.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from types import FrameType
else:
    import _signal  # the module `signal` is this one, and enum with 5 ms of its own

EXIT_INTERRUPTED = 130
"""What a shell makes of a program that SIGINT ends."""


def main() -> None:
    """Run a command of `tmux-exporter`."""
    _run(_exporter)


def remediator() -> None:
    """Run a command of `tmux-remediator`."""
    _run(_remediator)


def _exporter() -> None:
    if sys.argv[1:2] == ["op"]:
        from tmux_exporter.reporters.op import main as op  # noqa: PLC0415 - each command imports what it needs

        sys.exit(op(sys.argv[2:]))
    if sys.argv[1:2] == ["hook"]:
        from tmux_exporter.reporters.hook import main as hook  # noqa: PLC0415 - each command imports what it needs

        sys.exit(hook(sys.argv[2:]))
    if sys.argv[1:2] == ["statusline"]:
        from tmux_exporter.reporters.statusline import main as statusline  # noqa: PLC0415 - as above

        sys.exit(statusline(sys.argv[2:]))
    if sys.argv[1:2] == ["serve"]:
        from tmux_exporter.cli.serve import main as serve  # noqa: PLC0415 - each command imports what it needs

        serve()
    from tmux_exporter.cli.exporter import main as cli  # noqa: PLC0415 - each command imports what it needs

    cli()


def _remediator() -> None:
    from tmux_exporter.cli.remediator import main as cli  # noqa: PLC0415 - each command imports what it needs

    cli()


def _run(program: "Callable[[], None]") -> None:
    """Run a program. What it has begun is put back on the way out, where it does not handle SIGINT itself."""
    # A shell without job control starts what is behind `&` with SIGINT ignored: so it stays.
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _interrupt)
        sys.unraisablehook = _end_at_once
    try:
        try:
            program()
        finally:
            # Python's own end runs code that prints what it cannot raise.
            if _signal.getsignal(_signal.SIGINT) is not _signal.SIG_IGN:
                _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except RuntimeError as error:
        # What Python 3.11 makes of one in `__set_name__`, while it makes a class.
        if not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        sys.exit(EXIT_INTERRUPTED)


def _interrupt(_number: int, _frame: "FrameType | None") -> None:
    # A second SIGINT must not interrupt the cleanup.
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    raise KeyboardInterrupt


def _end_at_once(lost: "sys.UnraisableHookArgs") -> None:
    """End where Python would print and drop the interrupt: in a finalizer or a callback of a weak reference.

    No cleanup is possible there; everything that outlives our process is safe against SIGKILL.
    """
    if issubclass(lost.exc_type, KeyboardInterrupt):
        os._exit(EXIT_INTERRUPTED)
    sys.__unraisablehook__(lost)

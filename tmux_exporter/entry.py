"""Where the program `tmux-exporter` begins: `op` and `hook` must start quickly, the others need not."""

import sys


def main() -> None:
    """Run a command."""
    if sys.argv[1:2] == ["op"]:
        from tmux_exporter.op import main as op  # noqa: PLC0415 - each command imports what it needs

        sys.exit(op(sys.argv[2:]))
    if sys.argv[1:2] == ["hook"]:
        from tmux_exporter.hook import main as hook  # noqa: PLC0415 - each command imports what it needs

        sys.exit(hook(sys.argv[2:]))
    from tmux_exporter.cli import main as cli  # noqa: PLC0415 - each command imports what it needs

    cli()

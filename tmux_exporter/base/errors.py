"""Every error that ends a command, each with its exit code.

A message is one line that says what is wrong and how to fix it; it is printed on stderr unchanged.
"""


class ExporterError(Exception):
    """Base of all errors that `cli.main` turns into one line and an exit code."""

    exit_code = 1


class UsageError(ExporterError):
    """Wrong use: a flag, an argument, a port that is taken."""

    exit_code = 2


class ConfigError(ExporterError):
    """A configuration that is not applied; `problems` holds one `file:line:column: text` each."""

    exit_code = 2

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class CannotSeeError(ExporterError):
    """The requested facts cannot be read: no tmux, no /proc, no such process."""

    exit_code = 3

"""Program names of shells. Imports nothing: an agent's hook loads this file at every step."""

POSIX_SHELLS = frozenset({"ash", "bash", "busybox", "dash", "sh", "zsh"})
"""Shells with the grammar of `sh`."""

SHELLS = POSIX_SHELLS | {"csh", "fish", "ksh", "mksh", "tcsh"}
"""Shells that start jobs for people and programs."""

PROMPT_SHELLS = SHELLS | {"elvish", "nu", "pwsh", "xonsh"}
"""Shells that people use at the prompt of a pane."""

"""Names of shells' program files. Imports nothing: a hook reads them at every step of an agent."""

POSIX_SHELLS = frozenset({"ash", "bash", "busybox", "dash", "sh", "zsh"})
"""Those that read the language of `sh`."""

SHELLS = POSIX_SHELLS | {"csh", "fish", "ksh", "mksh", "tcsh"}
"""Those that start jobs for people and programs."""

PROMPT_SHELLS = SHELLS | {"elvish", "nu", "pwsh", "xonsh"}
"""Those that people have at the prompt of a pane."""

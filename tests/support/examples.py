"""How many examples a property is tried on: some in `make test`, all of them in `make check`."""

import os

VARIABLE = "TMUX_EXPORTER_EXAMPLES"
PART = 4
"""`make test` tries one of so many."""


def examples(number: int = 100) -> int:
    """All of these with `TMUX_EXPORTER_EXAMPLES=all`, else a part."""
    return number if os.environ.get(VARIABLE) == "all" else number // PART

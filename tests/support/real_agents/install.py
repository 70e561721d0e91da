"""Where the commands of the installed programs are (tests/support/programs/fresh_agents.py installs them)."""

from pathlib import Path

from tests.support.programs.fresh_agents import PLACE, locked
from tests.support.real_agents.programs import RealProgram


def commands_of(program: RealProgram, place: Path = PLACE) -> Path | None:
    """The folder of its commands; None where it could not be installed here, of which the installer told.

    Raises FileNotFoundError with the mend where nobody has tried.
    """
    each = locked()[program.installed or program.program]
    folder = place / each.name / each.bin
    if not (folder / program.bin).exists():
        if (place / f"{each.name}.problem").exists():
            return None
        raise FileNotFoundError(
            f"{each.package} is not in {place}; run: python -m tests.support.programs.fresh_agents"
        )
    if each.registry != "npm":
        return folder
    # Both commands in one folder, the newer Node.js before that of the machine.
    both = place / "bin" / program.name / "bin"
    both.mkdir(parents=True, exist_ok=True)
    for source in (folder / program.bin, place / "node" / "node_modules" / ".bin" / "node"):
        link = both / source.name
        link.unlink(missing_ok=True)
        link.symlink_to(source)
    return both

"""What a process is called: the names of its program, script and package, and what those names show."""

import posixpath
import re
from collections.abc import Iterable, Sequence

from tmux_exporter.analysis.programs.program import program_of
from tmux_exporter.analysis.programs.signatures import script_of
from tmux_exporter.facts.process import Process

MCP = re.compile(r"(?:^|[-_.@])mcp(?:$|[-_.@])|^mcp(?:$|[-_.])|modelcontextprotocol", re.IGNORECASE)
"""Is in the names of MCP servers."""

# Programs that fetch and run another one; its name is their first argument that is no flag.
_RUNNERS = frozenset(
    {"npx", "npm", "pnpm", "pnpx", "yarn", "bunx", "uvx", "uv", "pipx", "npx-cli.js", "npm-cli.js"}
)
_RUNNER_COMMANDS = frozenset({"exec", "x", "dlx", "run", "tool"})
# File and folder names that do not describe their content.
_GENERIC_NAMES = frozenset({"index", "main", "server", "cli", "__main__", "start", "run", "app", "mod"})
_GENERIC_FOLDERS = frozenset(
    {"dist", "build", "src", "bin", "lib", "out", ".bin", "cjs", "esm", "bundle", ""}
)


def is_mcp_server(process: Process) -> bool:
    """Whether the name of its program, script or package is that of an MCP server: nothing else shows it."""
    return any(MCP.search(name) for name in names_of(process))


def display_name(process: Process) -> str:
    """The name to show to a person: the program, and the script or package that it runs.

    `sleep`, `python3 serve.py`, `node @scope/server`, `npm some-package`: no whole path, no other argument.
    """
    program = program_of(process)
    names = list(names_of(process)) or [program]
    # With another argv[0] (`exec -a`) the program file names it; a program that sets a title, its title.
    first = names[0] if " " in (process.argv or ("",))[0] else program
    return " ".join((first, *_runs(names[1:])))


def _runs(names: Sequence[str]) -> Iterable[str]:
    if not names:
        return
    script, *around = names
    if not around:
        yield script
    elif around[0].startswith("@") or script in _RUNNERS:
        yield "/".join(around)
    else:
        yield f"{around[0]}/{script}"


def names_of(process: Process) -> Iterable[str]:
    """The names of its program, and of the script and package that it runs."""
    return names(process.argv or (), program_of(process))


def names(argv: Sequence[str], program: str) -> Iterable[str]:
    """The same of a command line; `program` is the name of the program file."""
    if not argv:
        return
    # npm writes a title over its arguments: "npm exec @modelcontextprotocol/server-memory".
    titled = " " in argv[0]
    words: Sequence[str] = (*argv[0].split(" "), *argv[1:]) if titled else argv
    name = posixpath.basename(words[0])
    yield name
    script, after = ("", ()) if titled else script_of(words, name, program)
    if script:
        yield from _script_names(script)
        name, words = posixpath.basename(script), ("", *after)
    if name in _RUNNERS:
        plain = [word for word in words[1:] if word and not word.startswith("-")]
        yield from [word for word in plain[:3] if word not in _RUNNER_COMMANDS][:1]


def _script_names(script: str) -> Iterable[str]:
    folders = script.split("/")
    *ancestor, name = folders
    yield name
    if "node_modules" in ancestor:
        package = folders[len(folders) - folders[::-1].index("node_modules") :]
        yield from package[: 2 if package and package[0].startswith("@") else 1]
    elif name.partition(".")[0] in _GENERIC_NAMES:
        yield from [folder for folder in reversed(ancestor) if folder not in _GENERIC_FOLDERS][:2]

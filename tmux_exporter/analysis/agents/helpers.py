"""What an agent has started, as units: MCP servers, language servers, browsers, shells, subagents.

A unit is a process of one kind with everything below it up to the next unit: a browser with its renderers, an
MCP server with the `npm exec` and `sh -c` that run it. So no process is in two units. What the agent runs
itself and that is of no kind (`git`, `rg`) is in none.
"""

import re
from collections.abc import Container, Mapping, Sequence
from functools import lru_cache

from tmux_exporter.analysis.programs.process_names import MCP, names
from tmux_exporter.analysis.programs.program import program_of
from tmux_exporter.facts.agents import Helper, HelperKind
from tmux_exporter.facts.process import Process, ProcessId
from tmux_exporter.facts.shells import SHELLS

_LANGUAGE = re.compile(
    r"(?:^|[-_.])(?:language[-_]?server|lang[-_]?server|langserver|lsp|languageserver)(?:$|[-_.])",
    re.IGNORECASE,
)
_LANGUAGE_SERVERS = frozenset(
    {"gopls", "clangd", "ccls", "rust-analyzer", "jdtls", "tsserver.js", "vtsls", "zls", "pylsp", "pyls"}
    | {"ruby-lsp", "solargraph", "metals", "ocamllsp", "nixd", "marksman", "texlab", "terraform-ls"}
    | {"csharp-ls", "omnisharp", "svelteserver", "intelephense", "phpactor", "elixir-ls", "erlang_ls"}
    | {"fsautocomplete", "sourcekit-lsp", "nimlangserver", "helm_ls"}
)
_LANGUAGE_COMMANDS = frozenset(
    {("ruff", "server"), ("deno", "lsp"), ("biome", "lsp-proxy"), ("dart", "language-server")}
    | {("taplo", "lsp"), ("ty", "server"), ("nu", "--lsp")}
)
_BROWSERS = re.compile(
    r"chrom(?:e|ium)(?:[-_](?:browser|headless-shell|wrapper|crashpad_handler|stable|beta|dev|unstable))?"
    r"|google-chrome(?:-[a-z]+)?|headless_shell|chromedriver|geckodriver|firefox(?:-(?:bin|esr))?|camoufox"
    r"|msedge|microsoft-edge|brave(?:-browser)?|MiniBrowser|WPEWebProcess|WebKit\w*Process"
)
# A shell or a runner (`npm exec`) with one child is the wrapper of what it runs.
_STRONG = frozenset(
    {HelperKind.MCP_SERVER, HelperKind.LANGUAGE_SERVER, HelperKind.BROWSER, HelperKind.SUBAGENT}
)
# Everything below these is a part of them, unless it shows another of the strong kinds.
_WHOLE = frozenset({HelperKind.MCP_SERVER, HelperKind.LANGUAGE_SERVER, HelperKind.BROWSER})


def kind_of(process: Process) -> HelperKind | None:
    """The kind that a process itself shows; None where it shows none. Never a subagent."""
    return _kind(process.argv, program_of(process)) if process.argv else None


@lru_cache(maxsize=2048)
def _kind(argv: tuple[str, ...], program: str) -> HelperKind | None:
    shown = tuple(names(argv, program))
    if any(MCP.search(name) for name in shown):
        return HelperKind.MCP_SERVER
    every = {*shown, program}
    if not _LANGUAGE_SERVERS.isdisjoint(every) or any(_LANGUAGE.search(name) for name in every):
        return HelperKind.LANGUAGE_SERVER
    if any((name, word) in _LANGUAGE_COMMANDS for name in every for word in argv[1:3]):
        return HelperKind.LANGUAGE_SERVER
    if _BROWSERS.fullmatch(program):
        return HelperKind.BROWSER
    return HelperKind.SHELL if program in SHELLS else None


def helpers_of(
    members: Mapping[int, Process], own: Container[int], known: Mapping[int, HelperKind]
) -> tuple[Helper, ...]:
    """The units of one agent, in the order of their first processes.

    `members` are its living processes by pid, `own` those of its own program, `known` the kinds that its
    program shows: subagents, MCP servers in the same file.
    """
    children: dict[int, list[int]] = {}
    for pid, process in members.items():
        children.setdefault(process.ppid if process.ppid in members else 0, []).append(pid)
    kinds = {
        pid: known[pid] if pid in known else kind_of(process)
        for pid, process in members.items()
        if pid not in own
    }
    units: dict[int, tuple[HelperKind, list[ProcessId]]] = {}
    unit_of: dict[int, int] = {}
    # Members of a cycle, which a race while reading can make, are in no unit.
    line = list(children.get(0, ()))
    for pid in line:
        line += children.get(pid, ())
        if pid in own:
            continue
        above = unit_of.get(members[pid].ppid)
        kind = _wrapped(pid, kinds, children)
        wrapper = kinds.get(members[pid].ppid) is not kind
        if kind is not None and (above is None or _begins(kind, units[above][0], wrapper=wrapper)):
            unit_of[pid] = pid
            units[pid] = (kind, [members[pid].id])
        elif above is not None:
            unit_of[pid] = above
            units[above][1].append(members[pid].id)
    return tuple(Helper(kind=kind, members=tuple(found)) for kind, found in units.values())


def _wrapped(
    pid: int, kinds: Mapping[int, HelperKind | None], children: Mapping[int, Sequence[int]]
) -> HelperKind | None:
    """The kind of a process, or that of what it only runs."""
    own = kind = kinds[pid]
    seen = {pid}
    while kind not in _STRONG and len(below := children.get(pid, ())) == 1 and below[0] not in seen:
        (pid,) = below
        if pid not in kinds:
            break
        seen.add(pid)
        kind = kinds[pid]
    return kind if kind in _STRONG else own


def _begins(kind: HelperKind, above: HelperKind, *, wrapper: bool) -> bool:
    """Whether a process of `kind` begins a unit below one of the kind `above`.

    `wrapper`: that one only runs it.
    """
    if kind is HelperKind.SHELL and above in _WHOLE:
        return False
    return kind is not above or (kind is HelperKind.SUBAGENT and not wrapper)

"""Find the version of an agent installed by npm in the `package.json` above its program."""

import os
import re
from collections.abc import Collection

from tmux_exporter.base import strict_json
from tmux_exporter.facts.process import Process, ProcessId
from tmux_exporter.sources.common.untrusted_file import UntrustedFileError, read_guarded

LARGEST_BYTES = 256 * 1024
_MOST_LEVELS = 6
_ROOT = 0
_VERSION = re.compile(r"[0-9]{1,5}\.[0-9]{1,5}\.[0-9]{1,12}[0-9A-Za-z.+-]{0,32}")
_PLATFORM = re.compile(r"-(?:linux|darwin|win32)-[a-z0-9]+$")
"""Codex has it in the versions of the packages with its native programs."""

_SCOPES = {"amp": "ampcode", "cn": "continuedev"}
"""Programs whose package has another name."""


class PackageVersions:
    """Reads each process once; `uid` is ours. Packages of root are trusted too: root installs them."""

    def __init__(self, *, uid: int) -> None:
        self._uid = uid
        self._known: dict[ProcessId, str] = {}

    def read(self, process: Process, program: str) -> str:
        """The version of `program`, which `process` runs; empty if unknown.

        Searches above the program file and above each of the first two arguments that is a whole path.
        """
        if process.id not in self._known:
            words = [word for word in (process.argv or ())[:3] if word.startswith("/")]
            paths = [*words, *((process.exe,) if process.exe else ())]
            versions = (self._above(os.path.realpath(path), program) for path in paths)
            self._known[process.id] = next((each for each in versions if each), "")
        return self._known[process.id]

    def retain(self, processes: Collection[ProcessId]) -> None:
        """Forget all but these processes."""
        self._known = {each: version for each, version in self._known.items() if each in processes}

    def _above(self, path: str, program: str) -> str:
        for _ in range(_MOST_LEVELS):
            path = os.path.dirname(path)
            if path in ("/", ""):
                return ""
            if (content := self._content(os.path.join(path, "package.json"))) is not None:
                return parse(content, program)
        return ""

    def _content(self, path: str) -> bytes | None:
        for owner in (self._uid, _ROOT):
            try:
                return read_guarded(path, uid=owner, limit=LARGEST_BYTES)
            except (FileNotFoundError, UntrustedFileError):
                continue
        return None


def parse(content: bytes, program: str) -> str:
    """The version that a `package.json` names, if it is that of the program; else empty."""
    try:
        document = strict_json.record(strict_json.parse(content))
    except (ValueError, TypeError):
        return ""
    name, version = document.get("name"), document.get("version")
    if not isinstance(name, str) or not isinstance(version, str) or not _VERSION.fullmatch(version):
        return ""
    # The package.json of a workspace, or of a folder that only holds the package, is of no use.
    called = re.escape(_SCOPES.get(program, program))
    version = _PLATFORM.sub("", version)
    return version if re.search(rf"(?:^|[/@-]){called}(?:code)?(?:$|[-/])", name) else ""

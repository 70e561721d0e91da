"""Prints docs/tmux-versions.md, made of the table of quirks: `python -m tests.support.tmux.quirks_page`."""

from tests.versions.get_tmux import RELEASES
from tmux_exporter.facts.tmux_quirks import OLDEST, QUIRKS, Quirk

_HEAD = """\
# tmux versions

Made of `tmux_exporter/facts/tmux_quirks.py` by `make docs`. No other file reads or compares tmux versions.

tmux {oldest} and later are supported. `make check-tmux` tests {tested}, each from Debian's own packages.

| quirk | versions | effect | used by | tests |
| --- | --- | --- | --- | --- |
"""


def render() -> str:
    """The whole page."""
    return _HEAD.format(oldest=OLDEST, tested=", ".join(RELEASES)) + "".join(
        f"| `{name}` | {_versions(row)} | {row.effect} | {_list(row.used_by)} | {_list(row.tests)} |\n"
        for name, row in QUIRKS.items()
    )


def _versions(quirk: Quirk) -> str:
    since, last = (release and ".".join(map(str, release)) for release in (quirk.since, quirk.last))
    if since is None:
        return f"up to {last}" if last else "all"
    if last is None:
        return f"from {since}"
    return since if since == last else f"{since} to {last}"


def _list(names: tuple[str, ...]) -> str:
    return "<br>".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    print(render(), end="")

"""`/runbooks/`: the page of each alert for a phone, with the names of the alert filled into its commands.

Read when asked for: nothing of it stays in memory.
"""

import html
import re
import shlex
from collections.abc import Mapping
from urllib.parse import urlencode

from tmux_exporter.base.shipped_files import shipped
from tmux_exporter.web.responses import Response

PATH = "/runbooks/"
_HTML = b"text/html; charset=utf-8"
_INDEX = "README"
_PLACES = ("server", "session", "agent", "instance")
_LINK = re.compile(r"\[([^\]\n]+)\]\((\w+)\.md\)")
_PAGE = """\
<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{name}</title><link rel="icon" href="/assets/favicon.svg">
<link rel="stylesheet" href="/assets/runbook.css"><pre>{text}</pre></html>
"""


def runbook(path: str, query: Mapping[str, list[str]]) -> Response | None:
    """The page of a path below `/runbooks/`, with or without `.md`; None where there is none.

    `server`, `session`, `agent` and `instance` of the query are filled into commands, each as one word of a
    shell.
    """
    name = path.removeprefix(PATH).removesuffix(".md") or _INDEX
    pages = shipped("runbooks")
    text = pages.get(f"{name}.md")
    if text is None:
        return None
    names = {each: query[each][-1] for each in _PLACES if query.get(each)}
    for place, value in names.items():
        text = _filled(text, place.upper(), value)
    asked = f"?{html.escape(urlencode(names))}" if names else ""
    linked = _LINK.sub(
        lambda found: (
            f'<a href="{PATH}{found[2]}{asked}">{found[1]}</a>' if f"{found[2]}.md" in pages else found[0]
        ),
        html.escape(text, quote=False),
    )
    body = _PAGE.format(name=html.escape(name), text=linked)
    return Response(status=200, body=body.encode(), content_type=_HTML)


def _filled(text: str, place: str, value: str) -> str:
    # A command is one line.
    word = shlex.quote("".join(each if each.isprintable() else "?" for each in value))
    if place == "SERVER" and value.startswith("/"):
        text = text.replace("tmux -L SERVER", f"tmux -S {word}")
    return re.sub(rf"(?<!\w){place}(?!\w)", lambda _: word, text)

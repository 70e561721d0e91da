"""Shell lexer: splits a script into words and operators as bash, dash, zsh and busybox all do.

Nothing is expanded. Where a shell does more than pass the words on (expansion, redirection, grouping,
comment), `Lexed.doubt` says so, and the words are only a guess.
"""

import re
from dataclasses import dataclass

_BLANKS = " \t\n"
# Unquoted characters without special meaning in any shell.
_PLAIN = re.compile(r"""[^ \t\n\\'"`$&|;<>(){}\[\]*?~\#]+""")
_IN_DOUBLE_QUOTES = re.compile(r"""[^\\"`$]+""")
_OPERATOR = re.compile(r"&&|\|\||;;|[;&|()\n]")
_TO_DEV_NULL = re.compile(r"[0-9]*(?:>>?[ \t]*/dev/null|<[ \t]*/dev/null|>&[0-9])(?=[ \t\n;&|)]|$)")
_DOUBTS = {
    "&": "it starts something in the background",
    "|": "it pipes one command into another",
    ";;": "it holds a case",
    "(": "it groups commands",
    ")": "it groups commands",
    "{": "it groups commands or expands braces",
    "}": "it groups commands or expands braces",
    "\n": "it has several lines",
    "$": "the shell expands something in it",
    "`": "the shell expands something in it",
    "*": "the shell may expand a pattern in it",
    "?": "the shell may expand a pattern in it",
    "[": "the shell may expand a pattern in it",
    "]": "the shell may expand a pattern in it",
    "~": "the shell expands a home folder in it",
    "#": "it holds a comment",
    "<": "it redirects elsewhere than to /dev/null",
    ">": "it redirects elsewhere than to /dev/null",
}
_UNTERMINATED = "its quotes do not end"


@dataclass(frozen=True, slots=True)
class Token:
    """A word without its quotes, or an operator."""

    text: str
    operator: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexed:
    """The tokens of a script. `doubt` is empty where they describe the script completely."""

    tokens: tuple[Token, ...]
    doubt: str


def lex(script: str, *, zsh: bool = False) -> Lexed:
    """Split `script`; in `zsh` a word that begins with `=` is expanded to a program's path."""
    lexer = _Lexer(_trimmed(script), zsh)
    lexer.run()
    return Lexed(tokens=tuple(lexer.tokens), doubt=lexer.doubt)


def _trimmed(script: str) -> str:
    """The script without surrounding blanks; an escaped trailing blank belongs to the last word."""
    text = script.strip(_BLANKS)
    is_escaped = (len(text) - len(text.rstrip("\\"))) % 2 == 1
    return script.lstrip(_BLANKS)[: len(text) + is_escaped]


class _Lexer:
    def __init__(self, script: str, zsh: bool) -> None:
        self.tokens: list[Token] = []
        self.doubt = ""
        self._script = script
        self._zsh = zsh
        self._at = 0
        self._word: str | None = None

    def run(self) -> None:
        while self._at < len(self._script):
            self._step()
        self._end_word()

    def _step(self) -> None:
        script, at = self._script, self._at
        character = script[at]
        if self._word is None and (match := _TO_DEV_NULL.match(script, at)):
            self._at = match.end()
        elif match := _PLAIN.match(script, at):
            if self._zsh and self._word is None and character == "=":
                self._doubt("the shell looks up a program in it")
            self._add(match[0], match.end())
        elif character in " \t":
            self._end_word()
            self._at += 1
        elif character == "'":
            self._single_quotes()
        elif character == '"':
            self._double_quotes()
        elif character == "\\":
            self._backslash()
        elif script.startswith("$(", at):
            self._operator("$(", "$")
        elif character == "`":
            self._operator("`", "`")
        elif match := _OPERATOR.match(script, at):
            self._operator(match[0], match[0])
        elif character in "<>":
            self._end_word()
            if not _TO_DEV_NULL.match(script, at):
                self._operator(character, character)
        elif character == "#" and self._word is not None:
            self._add(character, at + 1)
        else:
            self._doubt(_DOUBTS[character])
            self._add(character, at + 1)

    def _single_quotes(self) -> None:
        end = self._script.find("'", self._at + 1)
        if end < 0:
            self._doubt(_UNTERMINATED)
            end = len(self._script)
        self._add(self._script[self._at + 1 : end], end + 1)

    def _double_quotes(self) -> None:
        script, at = self._script, self._at + 1
        self._add("", at)
        while at < len(script) and script[at] != '"':
            if match := _IN_DOUBLE_QUOTES.match(script, at):
                self._add(match[0], match.end())
            elif script[at] == "\\" and script[at + 1 : at + 2] in ("$", "`", '"', "\\"):
                self._add(script[at + 1], at + 2)
            else:
                if script[at] != "\\" or script[at + 1 : at + 2] == "\n":
                    self._doubt(_DOUBTS["$"])
                self._add(script[at], at + 1)
            at = self._at
        if at >= len(script):
            self._doubt(_UNTERMINATED)
        self._at = at + 1

    def _backslash(self) -> None:
        following = self._script[self._at + 1 : self._at + 2]
        if following in ("", "\n"):
            self._doubt(_DOUBTS["\n"])
        self._add(following, self._at + 2)

    def _operator(self, text: str, doubt: str) -> None:
        self._end_word()
        if doubt in _DOUBTS:
            self._doubt(_DOUBTS[doubt])
        self.tokens.append(Token(text, operator=True))
        self._at += len(text)

    def _add(self, text: str, end: int) -> None:
        self._word = (self._word or "") + text
        self._at = end

    def _end_word(self) -> None:
        if self._word is not None:
            self.tokens.append(Token(self._word, operator=False))
            self._word = None

    def _doubt(self, reason: str) -> None:
        self.doubt = self.doubt or reason

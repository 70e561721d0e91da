"""Screen texts of agents in each state: a table of plain texts, by program.

A text counts only near the bottom of the screen, where the agent's user interface is: output and input are
further up. The first matching pattern decides, so questions come before work, work before limits, and idle
last, because a prompt is drawn in every state.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from tmux_exporter.facts.agents import AgentState, WaitingReason


class RowPosition(Enum):
    """The position of a text in a row; frames and blanks around the row are ignored."""

    BEGINS = "begins"
    HOLDS = "holds"
    ENDS = "ends"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenText:
    """A text in a row that has at most `most_below` rows below it that are not blank."""

    text: str
    key: RowPosition
    most_below: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenMeaning:
    """The state that a pattern shows; `certain` where no other state looks the same.

    `whole`: both ends of a dialog are drawn. `passes`: it is at its prompt once the limit has ended, although
    its screen does not change. `still`: it counts only if nothing was written for a second, as it looks the
    same while the agent writes.
    """

    state: AgentState
    reason: WaitingReason | None = None
    certain: bool = True
    whole: bool = False
    passes: bool = False
    still: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenPattern:
    """Texts that must all be present; no row from the first to the last begins with one of `closed_by`."""

    meaning: ScreenMeaning
    words: tuple[ScreenText, ...]
    closed_by: tuple[str, ...] = ()


def _begins(text: str, most_below: int) -> ScreenText:
    return ScreenText(text=text, key=RowPosition.BEGINS, most_below=most_below)


def _holds(text: str, most_below: int) -> ScreenText:
    return ScreenText(text=text, key=RowPosition.HOLDS, most_below=most_below)


def _ends(text: str, most_below: int) -> ScreenText:
    return ScreenText(text=text, key=RowPosition.ENDS, most_below=most_below)


def _waits(reason: WaitingReason, *words: ScreenText) -> ScreenPattern:
    meaning = ScreenMeaning(state=AgentState.WAITING, reason=reason, whole=len(words) > 1)
    return ScreenPattern(meaning=meaning, words=words)


def _stopped(reason: WaitingReason, *words: ScreenText, closed_by: tuple[str, ...]) -> ScreenPattern:
    """The last message of an agent, unless agent or user have written something since."""
    meaning = ScreenMeaning(
        state=AgentState.WAITING, reason=reason, passes=reason is WaitingReason.USAGE_LIMIT
    )
    return ScreenPattern(meaning=meaning, words=words, closed_by=closed_by)


def _works(*words: ScreenText) -> ScreenPattern:
    return ScreenPattern(meaning=ScreenMeaning(state=AgentState.WORKING), words=words)


def _spins(signs: str, most_below: int) -> tuple[ScreenPattern, ...]:
    """It works where a row begins with one of these characters."""
    return tuple(_works(_begins(sign, most_below)) for sign in signs)


def _rests(*words: ScreenText, still: bool = False) -> ScreenPattern:
    meaning = ScreenMeaning(state=AgentState.IDLE, certain=False, still=still)
    return ScreenPattern(meaning=meaning, words=words)


_PERMISSION, _TRUST = WaitingReason.PERMISSION, WaitingReason.TRUST
_QUESTION, _DIALOG = WaitingReason.QUESTION, WaitingReason.DIALOG
_LIMIT, _ERROR, _AUTH = WaitingReason.USAGE_LIMIT, WaitingReason.API_ERROR, WaitingReason.AUTH

_CLAUDE_SAYS = ("● ", "❯ ")

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"

# In the languages that Qwen Code speaks.
_QWEN_CONFIRMS = (
    *("等待用户确认", "等待用戶確認", "ユーザーの確認を待っています", "Warten auf Benutzerbestätigung"),
    *("En attente de la confirmation", "Ожидание подтверждения", "Aguardando confirmação"),
    "Esperant la confirmació",
)
_QWEN_PROMPTS = (
    *("输入您的消息", "輸入您的消息", "メッセージを入力", "Nachricht eingeben", "Tapez votre message"),
    *("Введите сообщение", "Digite sua mensagem", "Escriviu el vostre missatge"),
)

# Kilo is made from OpenCode.
_OPENCODE = (
    # The foot of a narrow pane is cut off.
    _waits(_PERMISSION, _begins("△ Permission required", 22), _begins("Allow once", 4)),
    _waits(_PERMISSION, _begins("△ Reject permission", 6), _holds("esc cancel", 1)),
    _waits(_QUESTION, _holds("enter submit", 1), _holds("esc dismiss", 1)),
    # In a narrow pane each of these words goes on in the rows below.
    _waits(_QUESTION, _begins("↑↓ ", 2), _ends("dismiss", 1)),
    _works(_holds("esc interrupt", 1)),
    *(_works(_holds(f"{end}  esc ", 2)) for end in "⬝■"),
    _works(_holds("[retrying in ", 3)),
    _rests(_holds("ctrl+p commands", 2)),
    _rests(_ends("ctrl+p", 1)),
)

SCREENS: Mapping[str, tuple[ScreenPattern, ...]] = {
    "claude": (
        _waits(_PERMISSION, _begins("Do you want to ", 12), _begins("❯ ", 8), _begins("Esc to cancel", 1)),
        _waits(_PERMISSION, _holds("has written up a plan", 14), _begins("❯ ", 10)),
        _waits(_PERMISSION, _begins("Exit plan mode?", 12), _begins("❯ ", 8)),
        _waits(_LIMIT, _holds("Stop and wait for limit to reset", 6)),
        _waits(_TRUST, _holds("I trust this folder", 8), _begins("Enter to confirm", 1)),
        _waits(_AUTH, _begins("Do you want to use this API key?", 8), _begins("Enter to confirm", 1)),
        _waits(_AUTH, _begins("Select login method", 10)),
        _waits(_QUESTION, _begins("Enter to select", 1)),
        _waits(_DIALOG, _begins("Enter to confirm", 1)),
        _works(_begins("esc to interrupt", 2)),
        _works(_ends("esc to interrupt)", 8)),
        # "session limit", "weekly limit", "org's monthly spend limit", …
        _stopped(_LIMIT, _begins("⎿  You've hit your ", 10), _begins("❯", 4), closed_by=_CLAUDE_SAYS),
        _stopped(_LIMIT, _begins("⎿  You're out of usage", 10), _begins("❯", 4), closed_by=_CLAUDE_SAYS),
        # The same with the blank that 2.1.197 draws.
        _stopped(
            _LIMIT,
            _begins("⎿ \N{NO-BREAK SPACE}You've hit your ", 10),
            _begins("❯", 4),
            closed_by=_CLAUDE_SAYS,
        ),
        _stopped(_ERROR, _begins("⎿  API Error", 7), _begins("❯", 4), closed_by=_CLAUDE_SAYS),
        _stopped(_ERROR, _begins("● API Error: ", 12), _begins("❯", 4), closed_by=_CLAUDE_SAYS),
        _stopped(_AUTH, _begins("● Please run /login", 12), _begins("❯", 4), closed_by=_CLAUDE_SAYS),
        _waits(_AUTH, _ends("Not logged in · Run /login", 2)),
        _rests(_begins("❯", 4), _begins("? for shortcuts", 3)),
    ),
    "codex": (
        _waits(_PERMISSION, _begins("Press enter to confirm or esc", 2)),
        _waits(_QUESTION, _holds("enter to submit answer", 2)),
        _waits(_AUTH, _holds("Sign in with ChatGPT", 9), _begins("Press enter to continue", 1)),
        _waits(_DIALOG, _begins("Press enter to continue", 1)),
        _waits(_DIALOG, _begins("enter confirm", 1)),
        _waits(_TRUST, _begins("Trust this folder?", 10), _begins("enter continue", 1)),
        _works(_ends("esc to interrupt)", 6)),
        _works(_holds("• esc to interrupt)", 6)),
        *(
            _stopped(reason, _begins(f"■ {words}", 8), _begins("›", 3), closed_by=("• ", "■ ", "✗ "))
            for reason, words in (
                (_LIMIT, "You've hit your usage limit"),
                (_LIMIT, "You’ve hit your usage limit"),
                (_AUTH, "unexpected status 401"),
                (_ERROR, "unexpected status "),
                (_ERROR, "stream disconnected"),
                (_ERROR, "We’re currently experiencing"),
                (_ERROR, "exceeded retry limit"),
            )
        ),
        _rests(_begins("›", 3), _holds("? for shortcuts", 1)),
    ),
    "gemini": (
        _waits(_TRUST, _begins("Do you trust the files in ", 19), _holds("Don't trust", 2)),
        _waits(_PERMISSION, _begins("Allow execution of", 8), _ends("(esc)", 2)),
        _waits(_PERMISSION, _begins("Apply this change", 8), _ends("(esc)", 2)),
        _waits(_QUESTION, _begins("Answer Questions", 14), _begins("Enter to select", 2)),
        _waits(_LIMIT, _begins("Usage limit reached", 12), _holds("Keep trying", 6)),
        _waits(_AUTH, _holds("Sign in with Google", 16), _begins("(Use Enter to select)", 8)),
        _works(_holds("(esc to cancel, ", 9)),
        _stopped(
            _ERROR,
            _begins("✕ [API Error", 14),
            _begins(">   Type your message", 3),
            closed_by=("✦ ", "ℹ Request"),
        ),
        _rests(_begins(">   Type your message", 3)),
    ),
    "qwen": (
        _waits(_TRUST, _begins("Do you trust this folder?", 12), _holds("Don't trust", 3)),
        _waits(_PERMISSION, _begins("Allow execution of", 10), _holds("Waiting for user confirmation", 1)),
        _waits(_PERMISSION, _begins("Apply this change", 10), _holds("Waiting for user confirmation", 1)),
        *(_waits(_PERMISSION, _holds(words, 1)) for words in _QWEN_CONFIRMS),
        _works(_ends("esc to cancel)", 8)),
        _rests(_begins(">   ", 3), _ends("Initializing...", 0)),
        # Its words of waiting may be long: then the end of the row stands on the next one.
        *_spins(_SPINNER, 8),
        *(
            _stopped(reason, _begins(words, 6), _begins(">   Type your message", 3), closed_by=("✦ ",))
            for reason, words in ((_AUTH, "✕ [API Error: 401"), (_ERROR, "✕ [API Error"))
        ),
        _rests(_begins(">   Type your message", 4)),
        *(_rests(_begins(f">   {words}", 4)) for words in _QWEN_PROMPTS),
    ),
    "pi": (
        _works(_ends("Working...", 6)),
        _works(_holds("Retrying (", 6), _ends("to cancel)", 6)),
        _stopped(_AUTH, _begins("Error: 401", 5), _holds("%/", 0), closed_by=()),
        _stopped(_ERROR, _begins("Error: ", 5), _holds("%/", 0), closed_by=()),
        _rests(_holds("%/", 0)),
    ),
    "opencode": _OPENCODE,
    "kilo": _OPENCODE,
    "copilot": (
        _waits(_TRUST, _begins("Do you trust the files", 12), _begins("↑/↓ to navigate", 2)),
        _waits(_PERMISSION, _begins("Do you want to ", 14), _begins("↑/↓ to navigate", 2)),
        _waits(_DIALOG, _begins("↑/↓ to navigate", 2)),
        _works(_holds("esc interrupt", 1)),
        _rests(_begins("❯", 3), _holds("/ commands", 1)),
    ),
    "aider": (
        _waits(_QUESTION, _holds("(Y)es/(N)o", 1)),
        _works(_holds("Waiting for ", 1)),
        _rests(_begins(">", 0)),
    ),
    "cursor-agent": (
        _waits(_PERMISSION, _holds("(y) (enter)", 6)),
        _works(_holds("ctrl+c to stop", 4)),
    ),
    "cline": (
        _waits(_AUTH, _begins("Connect a model provider", 20), _begins("↑/↓ navigate, Enter to select", 0)),
        _waits(_DIALOG, _holds("Press Enter to open, any other", 3)),
        _waits(_PERMISSION, _begins("Cline needs permission", 16), _begins("[y] Approve", 5)),
        _waits(_QUESTION, _begins("Cline is asking a question", 16), _begins("Type a response...", 5)),
        *_spins(_SPINNER, 20),
        _stopped(_ERROR, _begins("* Error: ", 9), _holds("(Shift+Tab)", 0), closed_by=("* ",)),
        _rests(_begins("❯ ", 5), _holds("(Shift+Tab)", 0), still=True),
    ),
    "cn": (
        _waits(_AUTH, _begins("Enter your Anthropic API key:", 0)),
        _waits(_PERMISSION, _begins("Would you like to continue?", 15), _holds("(esc)", 5)),
        _waits(_QUESTION, _begins("? ", 12), _begins("↑/↓ navigate, Enter select", 4)),
        _works(_holds("• esc to interrupt", 8)),
        _rests(_holds("Ask anything, @ for context", 4)),
    ),
    "grok": (
        _waits(_PERMISSION, _begins("Do you want to proceed with this", 8), _begins("↑↓ navigate", 1)),
        _works(_ends("esc to interrupt)", 6)),
        *(
            _stopped(reason, _begins(words, 8), _holds("auto-edit:", 2), closed_by=("⏺ ", "> "))
            for reason, words in (
                (_AUTH, "⏺ Sorry, I encountered an error: Grok API error: 401"),
                (_AUTH, "API error: 401"),
                (_ERROR, "⏺ Sorry, I encountered an error"),
            )
        ),
        _rests(_begins("❯", 4), _holds("auto-edit:", 2)),
    ),
    "kimi": (
        _waits(_TRUST, _begins("Trust this folder?", 16), _begins("Don't trust", 4)),
        _waits(_PERMISSION, _begins("▶ Run this command?", 16), _begins("↑/↓ select", 5)),
        _waits(_QUESTION, _begins("? ", 16), _begins("↑↓ select", 5)),
        _works(_holds("Working…", 8)),
        *_spins("🌑🌒🌓🌔🌕🌖🌗🌘", 8),
        *(
            _stopped(reason, _begins(words, 10), _begins(">", 4), closed_by=("✨ ", "● "))
            for reason, words in ((_AUTH, "Error: [provider.auth_error]"), (_ERROR, "Error: [provider."))
        ),
        _rests(_begins(">", 4), _holds("context: ", 0)),
    ),
    "mistral-vibe": (
        _waits(_DIALOG, _holds("Welcome to Mistral Vibe", 3), _begins("Enter continue", 0)),
        _waits(_AUTH, _begins("Choose your sign in method", 14), _ends("Esc back", 0)),
        _waits(_DIALOG, _holds("↑↓/jk navigate", 14), _holds("Preview", 8)),
        _waits(_PERMISSION, _begins("Permission for the ", 14), _ends("Esc reject", 3)),
        _waits(_QUESTION, _holds("User input required", 20), _begins("↑↓/jk navigate", 4)),
        _works(_ends("to interrupt)", 7)),
        *(
            _stopped(reason, words, _begins(">", 3), closed_by=("> ", "⏵ "))
            for reason, words in (
                (_AUTH, _holds("Error: Invalid API key", 8)),
                (_AUTH, _holds("credential was rejected", 8)),
                (_ERROR, _begins("⎣ Error: ", 8)),
                (_ERROR, _begins("⎢ Error: ", 8)),
            )
        ),
        _rests(_begins(">", 3), _holds("tokens (", 0)),
    ),
    "amp": (_waits(_AUTH, _begins("Would you like to log in to Amp?", 0)),),
    "auggie": (_waits(_AUTH, _holds("Login to continue", 2), _begins("Press return to open", 1)),),
    "letta": (_waits(_AUTH, _begins("> Login to Letta", 4), _begins("Use ↑/↓ to navigate", 0)),),
    "droid": (_waits(_AUTH, _begins("Please login with", 4), _begins("> Login", 1)),),
    "qodercli": (
        _waits(_TRUST, _begins("Do you trust the files", 14), _begins("↑/↓ navigate", 1)),
        _waits(_AUTH, _holds("Sign in to continue", 4), _begins("↑/↓ navigate", 1)),
        _waits(_AUTH, _begins("How would you like to authenticate", 14), _begins("Enter select", 1)),
    ),
}
"""By program; docs/agents.md says which were seen. Screens of other programs are never read."""

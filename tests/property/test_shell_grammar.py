"""The grammar against generated scripts, and its words against what real shells make of the same text."""

import shlex
import subprocess
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.processes.run_text import run_text
from tmux_exporter.analysis.schedulers.send_keys import Send
from tmux_exporter.analysis.schedulers.shell_grammar import PureScript, read_script
from tmux_exporter.analysis.schedulers.shell_lexer import lex

# Letters, and everything that means something to a shell.
_SOUP = st.text(alphabet="ab1é \t\n'\"\\$`*?[]{}()<>|&;#~=!-_:.%,^@/+", min_size=1, max_size=12)
_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


def _rendered(word: str, style: int) -> str:
    """`word` written down in one of the ways a shell reads it back from."""
    if style == 0 or not word or "\n" in word:
        return shlex.quote(word)
    if style == 1:
        return '"' + "".join("\\" + each if each in '\\"$`' else each for each in word) + '"'
    return "".join(each if each.isalnum() else "\\" + each for each in word)


@st.composite
def _sends(draw: st.DrawFn) -> tuple[str, Send]:
    def rendered(word: str) -> str:
        return _rendered(word, draw(st.integers(0, 2)))

    words = ["tmux"]
    label, socket = draw(st.sampled_from([(None, None), ("work", None), (None, "/run/x/s")]))
    words += ["-L", label] if label else ["-S", socket] if socket else []
    words.append(draw(st.sampled_from(["send-keys", "send"])))
    target = draw(_NAMES.filter(lambda name: not name.endswith(";")))
    words += [*draw(st.sampled_from([[], ["-l"], ["-N", "2"]])), "-t", rendered(target), "--"]
    keys = draw(st.lists(_NAMES.map(lambda key: key + "\\;" if key.endswith(";") else key), max_size=3))
    words += [rendered(key) for key in keys]
    return " ".join(words), Send(target=target, socket=socket, label=label)


@st.composite
def _pure_scripts(draw: st.DrawFn) -> tuple[str, int, list[Send]]:
    delay = draw(st.integers(0, 10**6))
    script, sends = f"sleep {delay}", []
    for number in range(draw(st.integers(1, 3))):
        script += draw(st.sampled_from([" && ", "; ", ";", " || ", "&&", " >/dev/null 2>&1 && "]))
        if number and draw(st.booleans()):
            script += f"sleep {draw(st.integers(0, 9))} && "
        text, send = draw(_sends())
        script += text
        sends.append(send)
    return script + draw(st.sampled_from(["", ";", " ", " 2>/dev/null"])), delay, sends


@given(_pure_scripts())
def test_a_generated_pure_script_gives_back_its_delay_and_sends(case: tuple[str, int, list[Send]]) -> None:
    script, delay, sends = case
    reading = read_script(script)
    assert isinstance(reading, PureScript), reading
    assert reading.delay == delay
    assert [replace(send, fallback=False) for send in reading.sends] == sends


_INJECTED = [
    "$X", "$(id)", "`id`", "${X}", " | cat", " & ", "& id", "; id", " && id", " || id", "\nid", "\n",
    " > /tmp/x", " < /etc/passwd", " >> log", "(id)", "{ id; }", "*", " ?", "[ab]", " # x", " ~",
    " &> /dev/null", ";; ", " <(id)", " >& log", "'", '"', " \\; kill-server", " 'x;' kill-server",
    " x\\\\; ", ' "a;"', " && tmux kill-server", "; tmux run-shell x", " >|/dev/null",
]  # fmt: skip


@pytest.mark.parametrize("shell", ["bash", "dash"])
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.lists(st.sampled_from(["&&", "||", ";"]), min_size=1, max_size=5), min_size=40, max_size=40)
)
def test_what_runs_where_nothing_fails_is_what_a_real_shell_runs(shell: str, joined: list[list[str]]) -> None:
    expected, program = [], ""
    for joiners in joined:
        sends = [f" {joiner} tmux send-keys -t s:{at} x" for at, joiner in enumerate(joiners)]
        reading = read_script("sleep 5" + "".join(sends))
        assert isinstance(reading, PureScript)
        expected.append(" ".join(f"s:{at}" for at, send in enumerate(reading.sends) if not send.fallback))
        program += "sleep 5" + "".join(sends) + "; echo\n"
    # Functions stand for the programs: the words are the same, and nobody waits.
    stubs = "sleep() { :; }\ntmux() { printf '%s ' \"$3\"; }\n"
    done = run_text([shell], input=stubs + program, check=True)
    assert [line.strip() for line in done.stdout.split("\n")[:-1]] == expected


@given(_pure_scripts(), st.sampled_from(_INJECTED))
def test_what_is_appended_to_a_pure_script_is_seen(case: tuple[str, int, list[Send]], injected: str) -> None:
    script = case[0].removesuffix(";").removesuffix(" 2>/dev/null")
    assert not isinstance(read_script(script + injected + " x"), PureScript)


@given(st.integers(0, 999), st.sampled_from(list("$`(){}|&<>*?[]~\n")))
def test_a_metacharacter_anywhere_outside_quotes_is_seen(place: int, injected: str) -> None:
    script = "sleep 90 && tmux -u send-keys -t a:0 it-is-time && sleep 1 && tmux send-keys -t a:0 Enter"
    parts = script.split()
    place %= len(parts) - 1
    script = " ".join(parts[: place + 1]) + f" {injected} " + " ".join(parts[place + 1 :])
    assert not isinstance(read_script(script), PureScript)


_SHELLS = {"bash": ["/bin/bash", "--norc", "--noprofile"], "dash": ["/bin/dash"]}


def _real_words(shell: str, scripts: list[str]) -> list[list[str] | None]:
    """What each text's words are to a real shell; None where it is an error. Nothing but printf can run."""
    quoted = [shlex.quote(f"printf '%s\\0' x {script}") for script in scripts]
    done = subprocess.run(
        _SHELLS[shell],
        input="".join(f"(eval {text}); printf '\\1\\0'\n" for text in quoted).encode(),
        capture_output=True,
        env={"PATH": "/nonexistent", "LC_ALL": "C.UTF-8", "HOME": "/home/x"},
        cwd="/proc/self/fdinfo",
        check=False,
    )
    answers = done.stdout.decode().split("\1\0")[:-1]
    assert len(answers) == len(scripts)
    return [answer.split("\0")[1:-1] if answer.startswith("x\0") else None for answer in answers]


@pytest.mark.parametrize("shell", sorted(_SHELLS))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scripts=st.lists(_SOUP, min_size=60, max_size=60))
def test_words_without_doubt_are_the_words_that_a_real_shell_hands_on(shell: str, scripts: list[str]) -> None:
    certain = [script for script in scripts if not lex(f"x {script}").doubt]
    simple = [script for script in certain if not any(each.operator for each in lex(f"x {script}").tokens)]
    ours = [[token.text for token in lex(f"x {script}").tokens][1:] for script in simple]
    assert _real_words(shell, [f"{script} </dev/null" for script in simple]) == ours

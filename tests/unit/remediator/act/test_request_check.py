"""The closed list of commands to tmux, argument by argument, as literals; nothing else passes."""

import os
from dataclasses import replace

import pytest

from tests.support.literals.report import UP
from tmux_exporter.remediator.act.request_check import UnsafeCommandError, check_arguments
from tmux_exporter.remediator.act.tmux import ask

FIGURES = (
    "#{pid} #{pane_id} #{history_size} #{history_bytes} #{history_limit} #{pane_in_mode} #{window_activity} "
    "#{pane_dead} #{pane_pid}"
)
UNPROTECTED = (
    "#{||:#{||:#{==:#{@protect},},#{==:#{@protect},0}},#{||:#{==:#{@protect},no},"
    "#{||:#{==:#{@protect},off},#{==:#{@protect},false}}}}"
)
IS_UNCHANGED = (
    "#{&&:" + UNPROTECTED + ",#{&&:#{==:#{session_attached},0},#{&&:#{==:#{history_size},4977},"
    "#{&&:#{==:#{pane_in_mode},0},#{&&:#{==:#{pane_id},%3},#{==:#{pid},1234}}}}}}"
)
NOT_THE_LAST = "#{||:#{!=:#{window_panes},1},#{&&:#{==:#{window_linked},0},#{!=:#{session_windows},1}}}"
CLEARS = "clear-history -t %3 ; display-message -p -t %3 cleared"
UNATTENDED = "#{==:#{m:*#{window_id} *,#{S:#{?session_attached,#{W:#{window_id} },}}},0}"
IS_UNATTENDED = (
    "#{&&:" + UNPROTECTED + ",#{&&:#{==:#{session_attached},0},#{&&:#{==:#{pid},1234}," + UNATTENDED + "}}}"
)
CLOSES = "#{&&:" + UNPROTECTED + ",#{&&:#{==:#{pane_dead},1},#{&&:#{==:#{pid},1234}," + NOT_THE_LAST + "}}}"
ALLOWED = (
    ("list-clients", "-t", "%3", "-F", "#{client_control_mode} #{client_name}"),
    ("display-message", "-c", "/dev/pts/4", "-d", "5000", "tmux-remediator: an agent (pid 7)."),
    ("display-message", "-c", "/dev/tty1", "words"),
    ("capture-pane", "-p", "-t", "%3"),
    ("display-message", "-p", "-t", "%3", FIGURES),
    ("display-message", "-p", "-t", "%3", FIGURES, ";",
        "capture-pane", "-p", "-t", "%3", "-S", "-4977", "-E", "-2978"),
    ("show-options", "-v", "-t", "%3", "history-limit"),
    ("if-shell", "-F", "-t", "%3", IS_UNCHANGED, CLEARS),
    ("if-shell", "-F", "-t", "%3", IS_UNCHANGED, "set-option -t %3 history-limit 20000"),
    ("if-shell", "-F", "-t", "%3", CLOSES, "kill-pane -t %3"),
    ("if-shell", "-F", "-t", "%3", IS_UNATTENDED, CLEARS),
    ("if-shell", "-F", "-t", "%3", CLOSES.replace(NOT_THE_LAST, f"#{{&&:{UNATTENDED},{NOT_THE_LAST}}}"),
        "kill-pane -t %3"),
)  # fmt: skip

SERVER = replace(UP, server="default", pid=os.getpid(), socket="/nowhere")


@pytest.mark.parametrize("command", ALLOWED, ids=lambda each: " ".join(each)[:40])
def test_what_is_sent_is_allowed(command: tuple[str, ...]) -> None:
    check_arguments(command)


REFUSED = (
    (),
    ("kill-server",),
    ("kill-pane", "-t", "%3"),
    ("clear-history", "-t", "%3"),
    ("set-option", "-t", "%3", "history-limit", "5"),
    ("capture-pane", "-p", "-t", "%3;", "kill-server"),
    ("capture-pane", "-p", "-t", "work:0"),
    ("capture-pane", "-p", "-t", "%3", "-S", "-"),
    ("display-message", "-p", "-t", "%3", "#(date)"),
    ("display-message", "-p", "-t", "%3", "#{E:@agent}"),
    ("display-message", "-p", "-t", "%3", FIGURES, ";", "kill-server"),
    ("display-message", "-p", "-t", "%3", FIGURES, ";",
        "capture-pane", "-p", "-t", "%4", "-S", "-2", "-E", "-1"),
    ("display-message", "-c", "/dev/pts/4", "words #{pid}"),
    ("display-message", "-c", "/dev/pts/4", "words;"),
    ("show-options", "-v", "-t", "%3", "default-command"),
    ("if-shell", "-F", "-t", "%3", IS_UNCHANGED, CLEARS.replace("%3", "%4")),
    ("if-shell", "-F", "-t", "%3", IS_UNCHANGED, CLEARS + " ; kill-server"),
    ("if-shell", "-F", "-t", "%3", IS_UNCHANGED, CLEARS.replace("-t %3 cleared", "-t %4 cleared")),
    ("if-shell", "-F", "-t", "%3", IS_UNCHANGED, "kill-pane -t %3"),
    ("if-shell", "-F", "-t", "%3", CLOSES.replace("pane_dead", "pane_in_mode"), "kill-pane -t %3"),
    ("if-shell", "-F", "-t", "%3", CLOSES.replace("#{pane_dead},1", "#{pane_dead},0"), "kill-pane -t %3"),
    ("if-shell", "-F", "-t", "%3", CLOSES.replace("windows},1", "windows},9"), "kill-pane -t %3"),
    ("if-shell", "-F", "-t", "%3", CLOSES.replace(NOT_THE_LAST, UNATTENDED), "kill-pane -t %3"),
    ("if-shell", "-F", "-t", "%3", IS_UNATTENDED.replace("},0}", "},1}"), CLEARS),
    ("if-shell", "-F", "-t", "%3", CLOSES, "kill-pane -a -t %3"),
    ("if-shell", "-F", "-t", "%3", CLOSES, "kill-pane -t %4"),
    ("if-shell", "-F", "-t", "%3", CLOSES, "kill-session -t %3"),
    ("if-shell", "-F", "-t", "%3", IS_UNCHANGED, "set-option -g history-limit 5"),
    ("if-shell", "-F", "-t", "%3", IS_UNCHANGED, "set-option -t %3 default-command 5"),
    ("if-shell", "-F", "-t", "%3", IS_UNCHANGED.replace(",no}", ",yes}"), CLEARS),
    ("if-shell", "-F", "-t", "%3", "#{==:#{pid},1234}", CLEARS),
    ("if-shell", "-F", "-t", "%3", "1", CLEARS),
    ("if-shell", "-t", "%3", "true", CLEARS),
    ("if-shell", "-F", "-t", "%3", "#{==:#{pid},#(date)}", CLEARS),
    ("if-shell", "-F", "-t", "%3", IS_UNCHANGED + "}", CLEARS),
)  # fmt: skip


@pytest.mark.parametrize("command", REFUSED, ids=lambda each: " ".join(each)[:40])
def test_nothing_else_is_sent(command: tuple[str, ...]) -> None:
    with pytest.raises(UnsafeCommandError):
        ask(SERVER, command, os.getuid())

#!/bin/bash
# restart-agent.sh TARGET COMMAND…: start an agent again in the pane that it had.
target=$1
shift
tmux respawn-pane -k -t "=$target" -- "$@"

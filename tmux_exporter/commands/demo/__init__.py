"""The demo fleet: played agents and real schedulers on a tmux server of their own, gone with `up --demo`.

Processes: `up` -> keeper -> tmux server -> panes, each with one played agent -> schedulers, which belong to
nobody once they run, as real ones do. Whoever of them dies first, how it all ends is this:

- The keeper holds a file lock for as long as it lives, and the kernel sends it SIGTERM when `up` ends, in
  whatever way. It then ends everything that carries the demo's mark, and removes the demo's folder.
- The mark is an environment variable with the path of that folder. The tmux server is started with it, and so
  all that ever ran there has it, a scheduler or a server that outlived its window too. Nothing is ended by
  its name or command.
- Each played agent looks once a second whether the lock is still held. If the keeper was killed too, the one
  that gets the lock does the keeper's last duty.
- If every process of ours is killed at one blow, the server ends with its last pane; a scheduler's sleep ends
  within the hour, and its tmux then finds no server and does nothing.

Only `fleet` imports libtmux, and only when it builds: `up` itself never does.
"""

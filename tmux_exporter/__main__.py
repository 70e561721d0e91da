"""`python -m tmux_exporter` is `tmux-exporter`."""

from tmux_exporter.entry import main

if __name__ == "__main__":
    main()

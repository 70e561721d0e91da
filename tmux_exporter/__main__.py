"""`python -m tmux_exporter` is `tmux-exporter`."""

from tmux_exporter.cli.main import main

if __name__ == "__main__":
    main()

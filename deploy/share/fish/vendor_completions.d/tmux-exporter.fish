# fish loads this at the first Tab behind tmux-exporter.
tmux-exporter completion fish | source

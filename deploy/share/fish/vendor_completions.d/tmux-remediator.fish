# fish loads this at the first Tab behind tmux-remediator.
tmux-remediator completion fish | source

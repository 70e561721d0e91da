"""How exact the figures of a pane are: workloads whose truth a cgroup tells."""

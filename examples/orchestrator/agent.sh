#!/bin/bash
# Stands in for a coding agent: answers each line, and ends at `exit`.
printf '> '
while read -r line; do
    [ "$line" = exit ] && exit 1
    printf 'done: %s\n> ' "$line"
done

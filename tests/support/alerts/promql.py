"""What a PromQL expression asks for: its series, the values that it matches, the labels that it groups by."""

from typing import NamedTuple

import promql_parser as promql


class Selected(NamedTuple):
    """A series of an expression, with its matchers as (label, `=`, `!=`, `=~` or `!~`, value)."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]


def selected(expression: str) -> tuple[Selected, ...]:
    """Every selector of an expression. Raises ValueError for what is no PromQL."""
    return tuple(
        Selected(node.name or "", tuple(map(_matcher, node.matchers.matchers)))
        for node in nodes(expression)
        if isinstance(node, promql.VectorSelector)
    )


def named_labels(expression: str) -> set[str]:
    """The labels that an expression groups by, joins on, or takes over from the other side."""
    found: set[str] = set()
    for node in nodes(expression):
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            found.update(node.modifier.labels)
        if isinstance(node, promql.BinaryExpr) and node.modifier is not None:
            found.update(node.modifier.matching.labels if node.modifier.matching else ())
            found.update(node.modifier.group_labels or ())
    return found


def _matcher(matcher: promql.Matcher) -> tuple[str, str, str]:
    return matcher.name, str(matcher).removeprefix(matcher.name)[:2].removesuffix('"'), matcher.value


def nodes(expression: str) -> list[promql.Expr]:
    """Every node of an expression, the outer before the inner. Raises ValueError for what is no PromQL."""
    found: list[promql.Expr] = []
    promql.walk(promql.parse(expression), found.append)
    return found

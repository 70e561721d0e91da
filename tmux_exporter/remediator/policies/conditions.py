"""`when:` of a policy file: conditions on figures of a target."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tmux_exporter.config.parsers import nearest, shown
from tmux_exporter.config.types import Duration, MisfitError, Records, Text, Written, key, setting
from tmux_exporter.remediator.policies.metrics import FIGURES, Figure
from tmux_exporter.remediator.policies.parsers import DAY
from tmux_exporter.remediator.policies.policy import Condition, When


def _metric(text: str) -> str:
    if text not in FIGURES:
        near = nearest(text, FIGURES)
        mend = f"did you mean '{near}'?" if near else "docs/policies.md lists those that can be asked for"
        raise ValueError(f"{shown(text)} is no figure of one thing; {mend}")
    return text


_METRIC = setting(Text(what="name of a metric", parser=_metric), "The figure, as `/metrics` names it.")
_ABOVE = setting(
    Written(what="value with its unit"), "It holds once the figure is above this: `4GiB`, `80%`, `20MiB/min`."
)
_CLEAR = setting(
    Written(what="value with its unit"),
    "It holds until the figure is below this, which is not above `above`.",
)
_RATE = setting(
    Duration(at_least=10, at_most=DAY),
    "Take not the figure, but how fast it grows over so long: with `/s`, `/min` or `/h` in the bounds. "
    "Counters can only be asked for that.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionDoc:
    """One figure with its bounds."""

    metric: str = field(metadata=_METRIC)
    above: str = field(metadata=_ABOVE)
    clear_below: str = field(metadata=_CLEAR)
    rate_over: float | None = field(default=None, metadata=_RATE)

    def __post_init__(self) -> None:
        condition_of(self)


def condition_of(made: ConditionDoc) -> Condition:
    """The condition. Raises MisfitError for one that cannot be."""
    figure = FIGURES[made.metric]
    if figure.is_age and made.rate_over is not None:
        raise MisfitError("an age grows by a second a second; remove rate_over", "rate_over")
    if figure.is_counter and made.rate_over is None:
        raise MisfitError("it only grows; add rate_over: 5m to ask for how fast", "metric")
    above, clear = (_bound(figure, made, key) for key in ("above", "clear_below"))
    if clear > above:
        raise MisfitError("this is above 'above': it could never hold", "clear_below")
    return Condition(metric=made.metric, above=above, clear_below=clear, rate_over=made.rate_over)


def _bound(figure: Figure, made: ConditionDoc, key: str) -> float:
    parse: Callable[[str], float] = figure.parse if made.rate_over is None else figure.parse_rate
    try:
        return parse(getattr(made, key))
    except ValueError as error:
        raise MisfitError(str(error), key) from None


_CONDITIONS = Records(of=ConditionDoc)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenDoc:
    """One condition, or `all` or `any` with a list of them."""

    metric: str | None = field(default=None, metadata=_METRIC)
    above: str | None = field(default=None, metadata=_ABOVE)
    clear_below: str | None = field(default=None, metadata=_CLEAR)
    rate_over: float | None = field(default=None, metadata=_RATE)
    all: tuple[ConditionDoc, ...] = key(_CONDITIONS, "Conditions that all have to hold.", default=())
    any: tuple[ConditionDoc, ...] = key(_CONDITIONS, "Conditions one of which has to hold.", default=())

    def __post_init__(self) -> None:
        when_of(self)


def when_of(made: WhenDoc) -> When:
    """The conditions. Raises MisfitError for what is neither one nor one list."""
    forms = (made.metric is not None, bool(made.all), bool(made.any))
    if sum(forms) != 1:
        raise MisfitError("write one of: metric with above and clear_below, all with a list, any with a list")
    if made.metric is None:
        if (made.above, made.clear_below, made.rate_over) != (None, None, None):
            raise MisfitError("bounds stand beside their metric; move them into the list")
        listed = made.all or made.any
        return When(conditions=tuple(map(condition_of, listed)), one_is_enough=bool(made.any))
    if made.above is None or made.clear_below is None:
        raise MisfitError("both bounds are needed; add above and clear_below")
    one = ConditionDoc(
        metric=made.metric, above=made.above, clear_below=made.clear_below, rate_over=made.rate_over
    )
    return When(conditions=(condition_of(one),))

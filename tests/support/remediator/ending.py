"""One act, as the loop of the remediator carries it out where nobody holds anything."""

from tmux_exporter.remediator.act.attempt import Result, Tools
from tmux_exporter.remediator.act.terminate import end
from tmux_exporter.remediator.decide.objections import confirmation
from tmux_exporter.remediator.decide.order import Order


def carried_out(order: Order, tools: Tools) -> Result:
    """What comes of an order."""
    return end(order, tools, confirmation(order.policy, lambda: ()))

"""Bytes in, encoded thumbs out. The only place that knows Pillow; it knows no Django."""

from athumb_storage.rendering.engine import Order, Rendered, can_write, check, render, shown_size
from athumb_storage.rendering.limits import Limits
from athumb_storage.rendering.plan import Plan, Step, make_plan
from athumb_storage.rendering.stripping import stripped

__all__ = [
    "Limits",
    "Order",
    "Plan",
    "Rendered",
    "Step",
    "can_write",
    "check",
    "make_plan",
    "render",
    "shown_size",
    "stripped",
]

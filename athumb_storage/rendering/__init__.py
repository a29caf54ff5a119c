"""Bytes in, encoded thumbs out. The only place that knows Pillow; it knows no Django."""

from athumb_storage.rendering.engine import Order, Rendered, can_write, render, shown_size
from athumb_storage.rendering.plan import Plan, Step, make_plan

__all__ = ["Order", "Plan", "Rendered", "Step", "can_write", "make_plan", "render", "shown_size"]

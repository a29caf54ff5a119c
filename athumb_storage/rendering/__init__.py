"""Bytes in, encoded thumbs out. The only place that knows Pillow; it knows no Django."""

from athumb_storage.rendering.encoding import can_write
from athumb_storage.rendering.engine import Rendered, bounded, render, shown_size, verify_decodable
from athumb_storage.rendering.finishing import can_process
from athumb_storage.rendering.heic import HEIC_NEEDED, readable_formats
from athumb_storage.rendering.limits import Limits
from athumb_storage.rendering.plan import Plan, Step, make_plan
from athumb_storage.rendering.stripping import stripped
from athumb_storage.rendering.thumbhash import placeholder_png

__all__ = [
    "HEIC_NEEDED",
    "Limits",
    "Plan",
    "Rendered",
    "Step",
    "bounded",
    "can_process",
    "can_write",
    "make_plan",
    "placeholder_png",
    "readable_formats",
    "render",
    "shown_size",
    "stripped",
    "verify_decodable",
]

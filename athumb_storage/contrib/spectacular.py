"""What drf-spectacular writes of a `ThumbsField` into an OpenAPI schema. `contrib.rest_framework` imports it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.settings import spectacular_settings

if TYPE_CHECKING:
    from drf_spectacular.openapi import AutoSchema

THUMB: Final = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "format": "uri"},
        "width": {"type": "integer", "nullable": True},
        "height": {"type": "integer", "nullable": True},
        "srcset": {"type": "string"},
    },
    "required": ["url", "width", "height", "srcset"],
}
"""The schema of a thumb."""


class ThumbsFieldExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """An object of thumbs by name in answers, a file in requests."""

    target_class = "athumb_storage.contrib.rest_framework.ThumbsField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        # Without the split, one schema stands for both directions, and drf-spectacular has it tell what is answered.
        if direction == "request" and spectacular_settings.COMPONENT_SPLIT_REQUEST:
            return {"type": "string", "format": "binary"}
        schema: dict[str, Any] = {"type": "object", "additionalProperties": THUMB}
        return schema if self.target.required else {**schema, "nullable": True}

"""What drf-spectacular writes of a `ThumbsField` into an OpenAPI schema. `contrib.rest_framework` imports it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.plumbing import append_meta, build_basic_type, build_object_type
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.types import OpenApiTypes

if TYPE_CHECKING:
    from drf_spectacular.openapi import AutoSchema


class ThumbsFieldExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """An object of thumbs by name in answers, a file in requests."""

    target_class = "athumb_storage.contrib.rest_framework.ThumbsField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> Any:
        # Without the split, one schema stands for both directions, and drf-spectacular has it tell what is answered.
        if direction == "request" and spectacular_settings.COMPONENT_SPLIT_REQUEST:
            return build_basic_type(OpenApiTypes.BINARY)
        schema = build_object_type(additionalProperties=_thumb())
        return schema if self.target.required else {**schema, "nullable": True}


def _thumb() -> dict[str, Any]:
    side = append_meta({"type": "integer"}, {"nullable": True})  # which OpenAPI 3.1 has another word for
    url, text = build_basic_type(OpenApiTypes.URI), build_basic_type(OpenApiTypes.STR)
    properties = {"url": url, "width": side, "height": side, "srcset": text}
    return build_object_type(properties, required=properties)

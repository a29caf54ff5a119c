"""System checks: what is configured, but cannot work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

from athumb_storage import conf
from athumb_storage.fields import ThumbsFieldMixin
from athumb_storage.rendering import can_write


@register(Tags.models)
def check_project_thumbs(**_: Any) -> Sequence[CheckMessage]:
    """E002: `ATHUMB_THUMBS` is wrong."""
    try:
        conf.project_thumbs()
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="It is written like the thumbs of a field.", id="athumb_storage.E002")]
    return []


@register(Tags.models)
def check_fields(**_: Any) -> Sequence[CheckMessage]:
    """E001: a field has thumbs and its storage cannot make them. E003: Pillow cannot write a thumb's format."""
    models = apps.get_models()
    fields = [field for model in models for field in model._meta.local_fields if isinstance(field, ThumbsFieldMixin)]
    return [message for field in fields for message in _check_field(field)]


def _check_field(field: ThumbsFieldMixin) -> Iterator[CheckMessage]:
    if field.thumbs and field.unbound_storage() is None:
        yield Error(
            f"The field has thumbs, but its storage {field.storage.__class__.__name__} cannot make them.",
            hint="Use a storage of athumb_storage.storages, or give yours the ThumbnailStorageMixin.",
            obj=field,
            id="athumb_storage.E001",
        )
    for name, thumb in field.thumbs.items():
        if thumb.format and not can_write(thumb.format):
            yield Error(
                f"Thumb {name!r} is to be written as {thumb.format}, which the installed Pillow cannot do.",
                hint="Install a Pillow that can, such as the wheels on PyPI, or choose another format.",
                obj=field,
                id="athumb_storage.E003",
            )

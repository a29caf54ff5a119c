"""System checks: what is configured, but cannot work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register  # noqa: A004, it is Django's
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import default_storage
from django.db.models import FileField, Model
from django.template import engines
from django.template.backends.django import DjangoTemplates

from athumb_storage import conf
from athumb_storage.fields import ThumbsFieldMixin
from athumb_storage.rendering import can_process, can_write


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
    """E001: a field has thumbs and its storage cannot make them. E003: Pillow cannot write a thumb's format.

    E006: there is no field of focal points. E007: a processor cannot be imported.
    """
    models = apps.get_models()
    fields = [field for model in models for field in model._meta.local_fields if isinstance(field, ThumbsFieldMixin)]
    return [message for field in fields for message in _check_field(field)]


@register(Tags.templates)
def check_template_library(**_: Any) -> Sequence[CheckMessage]:
    """I001: `{% load thumbnail %}` loads the library of another app."""
    libraries = [engine.engine.libraries for engine in engines.all() if isinstance(engine, DjangoTemplates)]
    loaded = dict.fromkeys(paths["thumbnail"] for paths in libraries if "thumbnail" in paths)
    return [
        Info(
            f"{{% load thumbnail %}} loads {path}, and not the tags of athumb_storage.",
            hint="Write {% load athumb %} for the tags of athumb_storage.",
            id="athumb_storage.I001",
        )
        for path in loaded
        if not path.startswith("athumb_storage.")
    ]


@register("athumb_storage", deploy=True)
def check_conditional_writes(**_: Any) -> Sequence[CheckMessage]:
    """Try out whether each storage can claim names as it is told to. It sends requests, so it is only for `--deploy`.

    E004: conditional writes are on, and the server does not honour them. W001: they are off, and it does. W002: it
    could not be tried out. E005: there is no bucket, which may be told by the environment and be missing elsewhere.
    """
    return [message for storage in _storages_on_s3() for message in _check_storage(storage)]


def _storages_on_s3() -> list[Any]:
    """The default storage and those of fields, as far as they write to S3."""
    storages = [default_storage, *(field.storage for model in apps.get_models() for field in _file_fields(model))]
    found = {id(unbound): unbound for storage in storages if (unbound := getattr(storage, "unbound", None))}
    return [storage for storage in found.values() if hasattr(storage, "honours_conditional_writes")]


def _file_fields(model: type[Model]) -> Iterator[FileField]:
    return (field for field in model._meta.local_fields if isinstance(field, FileField))


def _check_storage(storage: Any) -> Iterator[CheckMessage]:
    if not storage.bucket_name:
        yield Error(
            f"{type(storage).__name__} has no bucket.",
            hint="Set the storage's option bucket_name, or the setting AWS_STORAGE_BUCKET_NAME.",
            id="athumb_storage.E005",
        )
        return
    where = f"bucket {storage.bucket_name!r}"
    if storage.unique_names or storage.file_overwrite:
        return
    try:
        honoured = storage.honours_conditional_writes()
    except Exception as error:  # noqa: BLE001, whatever it is, it is reported
        yield Warning(f"It could not be tried out whether {where} can claim names: {error}", id="athumb_storage.W002")
        return
    if storage.claims_names and not honoured:
        yield Error(
            f"The server of {where} does not honour conditional writes, so uploads could replace one another.",
            hint="Set the storage's option conditional_writes=False; then it asks before it stores.",
            id="athumb_storage.E004",
        )
    elif honoured and not storage.claims_names:
        yield Warning(
            f"The server of {where} honours conditional writes, and the storage does not use them.",
            hint="Set the storage's option conditional_writes=True: uploads cannot replace one another then.",
            id="athumb_storage.W001",
        )


def _check_field(field: ThumbsFieldMixin) -> Iterator[CheckMessage]:
    if field.focal_field and field.focal_field not in {each.attname for each in field.model._meta.concrete_fields}:
        yield Error(
            f"The field has its focal points in {field.focal_field!r}, which is no field of the model.",
            hint=f"Write {field.focal_field} = models.CharField(max_length=20, blank=True), or leave out focal_field.",
            obj=field,
            id="athumb_storage.E006",
        )
    if field.thumbs and field.unbound_storage() is None:
        yield Error(
            f"The field has thumbs, but its storage {field.storage.__class__.__name__} cannot make them.",
            hint="Use a storage of athumb_storage.storages, or give yours the ThumbnailStorageMixin.",
            obj=field,
            id="athumb_storage.E001",
        )
    for name, thumb in field.thumbs.items():
        for path, _ in thumb.processors:
            if not can_process(path):
                yield Error(
                    f"Thumb {name!r} has the processor {path}, which cannot be imported.",
                    hint="Write the module and the name of a function that takes and returns a Pillow image.",
                    obj=field,
                    id="athumb_storage.E007",
                )
        for spelling in thumb.spellings:
            if not can_write(spelling):
                yield Error(
                    f"Thumb {name!r} is to be written as {spelling}, which the installed Pillow cannot do.",
                    hint="Install a Pillow that can, such as the wheels on PyPI, or choose another format.",
                    obj=field,
                    id="athumb_storage.E003",
                )

"""System checks: what is configured, but cannot work. They send nothing; `deploy_checks` has those that do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import django
from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register  # noqa: A004, it is Django's
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.storage import default_storage, storages
from django.db.models import FileField
from django.template import engines
from django.template.backends.django import DjangoTemplates
from django.utils.module_loading import import_string

from athumb_storage import conf
from athumb_storage.fields import ThumbsFieldMixin
from athumb_storage.geometry import exact_size
from athumb_storage.rendering import can_process, can_write
from athumb_storage.specs import Thumb
from athumb_storage.storages import ThumbnailStorageMixin, configured
from athumb_storage.storages.filenames import refuse_thumb_names

BUCKET_WANTED: Final = "Set the storage's option bucket_name, or the setting AWS_STORAGE_BUCKET_NAME."

_PASSED_OVER: Final = "DEFAULT_FILE_STORAGE"

_SUCCESSORS: Final[dict[str, dict[str, object]]] = {
    f"athumb.backends.s3boto.{theirs}": {
        "BACKEND": f"athumb_storage.storages.{ours}",
        "OPTIONS": {"naming": "athumb"},
    }
    for theirs, ours in (
        ("S3BotoStorage", "S3ThumbnailStorage"),
        ("S3BotoStorage_AllPublic", "PublicS3ThumbnailStorage"),
    )
}
"""What took the place of the storages of django-athumb, and keeps the keys of their thumbs."""

_MEANINGLESS: Final = {
    "AWS_AUTO_CREATE_BUCKET": "Remove it, and create the bucket of the option bucket_name yourself.",
    "THUMBNAIL_URL_CACHE_TIME": "Remove it: URLs are not looked up. The option signed_url_window keeps signed ones.",
}
"""Settings of django-athumb, and what to do instead. Off, they say what is done here anyway."""


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

    E006, E010: there is no field of focal points, or of placeholders. W010: there is none of sizes. E007: a processor
    cannot be imported.
    """
    fields = [field for field in _file_fields() if isinstance(field, ThumbsFieldMixin)]
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


@register(Tags.files)
def check_old_settings(**_: Any) -> Sequence[CheckMessage]:
    """W003: Django passes over `DEFAULT_FILE_STORAGE`. W005: a setting of django-athumb means nothing here."""
    messages: list[CheckMessage] = []
    # An older Django counts it, and warns whoever looks at it.
    named: str | None = getattr(settings, _PASSED_OVER, None) if django.VERSION >= (5, 1) else None
    if named and named != _backend("default"):
        wanted = {
            "default": _SUCCESSORS.get(named, {"BACKEND": named}),
            "staticfiles": {"BACKEND": _backend("staticfiles")},
        }
        messages.append(
            Warning(
                f"Django passes over {_PASSED_OVER}, so files are not stored by {named}.",
                hint=f"Write STORAGES = {wanted} in its place.",
                id="athumb_storage.W003",
            )
        )
    messages += [
        Warning(f"The setting {name} of django-athumb means nothing here.", hint=hint, id="athumb_storage.W005")
        for name, hint in _MEANINGLESS.items()
        if getattr(settings, name, None)
    ]
    return messages


@register(Tags.files, "athumb_storage")
def check_storages(**_: Any) -> Sequence[CheckMessage]:
    """E008: a storage cannot be set up, because an option is wrong or what it needs is not installed."""
    errors: dict[str, CheckMessage] = {}
    for where, storage in storages_in_use():
        if isinstance(storage, Exception):  # that of an alias is met again in the fields that use it
            error = Error(
                f"The storage cannot be set up: {storage}",
                hint="Correct its BACKEND and OPTIONS in STORAGES, or install what they need.",
                obj=where,
                id="athumb_storage.E008",
            )
            errors.setdefault(str(storage), error)
    return list(errors.values())


@register(Tags.files)
def check_buckets(**_: Any) -> Sequence[CheckMessage]:
    """W004: a storage on S3 has no bucket; where a project is built, the environment may not tell it yet."""
    return [
        Warning(f"{type(storage).__name__} has no bucket.", hint=BUCKET_WANTED, id="athumb_storage.W004")
        for storage in storages_on_s3()
        if not storage.bucket_name
    ]


@register(Tags.models)
def check_upload_to(**_: Any) -> Sequence[CheckMessage]:
    """E009: what a field uploads goes where thumbs are stored, so all of it is refused."""
    return [
        Error(
            f"Nothing can be uploaded to {str(field.upload_to)!r}: thumbs are stored under names like this.",
            hint="Choose another upload_to, whose last folder does not end like a folder of thumbs.",
            obj=field,
            id="athumb_storage.E009",
        )
        for field in _file_fields()
        if not callable(field.upload_to) and _is_for_thumbs(f"{field.upload_to}/file", own_storage(_given(field)))
    ]


def storages_in_use() -> Iterator[tuple[object, Any]]:
    """The storages of `STORAGES` and of fields, each as `own_storage` has it, with where it is used.

    What another package stores for itself is not set up.
    """
    for alias in storages.backends:
        if not _is_foreign(alias):
            yield f"STORAGES[{alias!r}]", own_storage(configured(alias))
    for field in _file_fields():
        if isinstance(field, ThumbsFieldMixin) or field.storage is not default_storage:
            yield field, own_storage(_given(field))


def storages_on_s3() -> list[Any]:
    """Those that write to S3, each once."""
    found = {id(storage): storage for _, storage in storages_in_use()}
    return [storage for storage in found.values() if hasattr(storage, "honours_conditional_writes")]


def own_storage(given: object) -> Any:
    """The storage with thumbs that `given` is or stands for; None if it makes none; the error, if it is not set up."""
    try:
        return getattr(given, "unbound", None)  # which sets up what is set up on first use
    except Exception as error:  # noqa: BLE001, whatever it is, it is reported
        return error


def _backend(alias: str) -> str | None:
    backends: Any = storages.backends  # django-stubs have it as something else
    backend: str | None = backends.get(alias, {}).get("BACKEND")
    return backend


def _is_foreign(alias: str) -> bool:
    try:
        backend: Any = import_string(_backend(alias) or "")
    except Exception:  # noqa: BLE001, it is raised again and reported when it is set up
        return False
    return not (isinstance(backend, type) and issubclass(backend, ThumbnailStorageMixin))


def _file_fields() -> Iterator[FileField]:
    return (field for model in apps.get_models() for field in model._meta.local_fields if isinstance(field, FileField))


def _given(field: FileField) -> object:
    """The storage as the project gave it: to ask a field with thumbs for its own sets it up."""
    return field._given if isinstance(field, ThumbsFieldMixin) else field.storage


def _is_for_thumbs(name: str, storage: Any) -> bool:
    if not isinstance(storage, ThumbnailStorageMixin):
        return False
    try:
        refuse_thumb_names(name, storage.naming)
    except SuspiciousFileOperation:
        return True
    return False


def _check_field(field: ThumbsFieldMixin) -> Iterator[CheckMessage]:
    yield from _check_columns(field)
    if field.thumbs and own_storage(field._given) is None:
        yield Error(
            f"The field has thumbs, but its storage {field.storage.__class__.__name__} cannot make them.",
            hint="Use a storage of athumb_storage.storages, or give yours the ThumbnailStorageMixin.",
            obj=field,
            id="athumb_storage.E001",
        )
    yield from _check_thumbs(field)


def _check_columns(field: ThumbsFieldMixin) -> Iterator[CheckMessage]:
    known = {each.attname for each in field.model._meta.concrete_fields}
    if field.focal_field and field.focal_field not in known:
        yield Error(
            f"The field has its focal points in {field.focal_field!r}, which is no field of the model.",
            hint=f"Write {field.focal_field} = models.CharField(max_length=20, blank=True), or leave out focal_field.",
            obj=field,
            id="athumb_storage.E006",
        )
    if field.placeholder_field and field.placeholder_field not in known:
        wanted = f"{field.placeholder_field} = models.CharField(max_length=40, blank=True)"
        yield Error(
            f"The field keeps placeholders in {field.placeholder_field!r}, which is no field of the model.",
            hint=f"Write {wanted}, or leave out placeholder_field.",
            obj=field,
            id="athumb_storage.E010",
        )
    several = [*field.thumbs.sets, *(name for name, thumb in field.thumbs.items() if _is_fit_in_several(thumb))]
    if several and not getattr(field, "width_field", None):
        yield Warning(
            f"The field keeps no size of its images, so pages have no room ready for {', '.join(map(repr, several))}.",
            hint="Give an ImageWithThumbsField a width_field and a height_field.",
            obj=field,
            id="athumb_storage.W010",
        )


def _is_fit_in_several(thumb: Thumb) -> bool:
    """Whether a `<picture>` is made of it, whose size follows from the original's."""
    is_of_a_set = thumb.keeps_ratio
    return not is_of_a_set and len(thumb.spellings) > 1 and exact_size(thumb) is None


def _check_thumbs(field: ThumbsFieldMixin) -> Iterator[CheckMessage]:
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

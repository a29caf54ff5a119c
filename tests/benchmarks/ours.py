"""This library, as the measurements use it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.files.uploadedfile import UploadedFile

from tests.benchmarks.context import Context
from tests.benchmarks.project import s3_options
from tests.benchmarks.sets import WantedSet

_numbers = itertools.count()


class Unavailable(Exception):
    """What is to be measured does not exist (yet); the message says why."""


def fresh_name(prefix: str) -> str:
    """A name that was never stored before in this bucket."""
    import os
    import secrets

    return f"{prefix}/{os.getpid()}-{secrets.token_hex(3)}-{next(_numbers)}.jpg"


def storage(context: Context, wanted: WantedSet, *, slow: bool = False, **options: Any) -> Any:
    """Our storage with this thumb set; `options` are further options of its own.

    Raises:
        Unavailable: the storage does not exist, or does not know an option.
    """
    try:
        from athumb_storage.storages import S3ThumbnailStorage
    except ImportError as error:
        raise Unavailable(error) from error
    all_options = {**s3_options(context, slow=slow), "conditional_writes": True, **options}
    try:
        return S3ThumbnailStorage(thumbs=wanted.as_thumbs(), **all_options)
    except (ImproperlyConfigured, TypeError) as error:
        raise Unavailable(error) from error


def save(our_storage: Any, content: UploadedFile, thumb_names: Sequence[str], prefix: str = "ours") -> list[str]:
    """Store the upload and its thumbs; the URLs of all of them."""
    name = our_storage.save(fresh_name(prefix), content)
    return [our_storage.url(name), *(our_storage.url_for_thumb(name, thumb) for thumb in thumb_names)]


def saver(our_storage: Any, wanted: WantedSet) -> Callable[[UploadedFile], list[str]]:
    names = [thumb.name for thumb in wanted.thumbs]
    return lambda content: save(our_storage, content, names)


def baseline(context: Context, *, slow: bool = False) -> Callable[[UploadedFile], list[str]]:
    """django-storages storing the original alone."""
    from storages.backends.s3 import S3Storage

    plain = S3Storage(**s3_options(context, slow=slow))

    def store(content: UploadedFile) -> list[str]:
        return [plain.url(plain.save(fresh_name("plain"), content))]

    return store


def render(data: bytes, wanted: WantedSet, image_format: str = "JPEG") -> dict[str, bytes]:
    """The encoded thumbs of an image, without storing anything: thumb name -> bytes.

    Raises:
        Unavailable: there is no such renderer (yet).
    """
    import io

    try:
        from athumb_storage import ThumbSet
        from athumb_storage.rendering import render as render_variants
        from athumb_storage.specs import Variant
    except ImportError as error:
        raise Unavailable(error) from error
    thumbs = ThumbSet(wanted.as_thumbs())
    variants = [Variant.of(name, thumb, wanted.format) for name, thumb in thumbs.items()]
    return {done.variant.thumb_name: done.data for done in render_variants(io.BytesIO(data), image_format, variants)}

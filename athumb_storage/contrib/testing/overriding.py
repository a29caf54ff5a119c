"""Thumbs at once, or none, for a project's own tests: no server, no disk, no decoding, and the same URLs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, BinaryIO

from django.apps import apps
from django.core.files.storage import default_storage, storages
from django.db.models import FileField
from django.test.utils import TestContextDecorator
from django.utils.module_loading import import_string
from PIL import Image

from athumb_storage.fields import ThumbsFieldMixin
from athumb_storage.geometry import Size, place
from athumb_storage.rendering import Rendered, shown_size
from athumb_storage.specs import Variant
from athumb_storage.storages import InMemoryThumbnailStorage, ThumbnailStorageMixin
from athumb_storage.uploads import UploadInfo

_default: Any = default_storage  # a lazy object, which django-stubs call a storage


class override_storage(TestContextDecorator):  # noqa: N801, as Django's override_settings
    """Let all storages with thumbs keep their files in memory, and make each thumb of one colour.

    A decorator of a test or of a `TestCase`, or a context manager. The thumbs have the right size and format; URLs and
    names are those of the storage that is replaced. What is stored is gone at the end.

    Args:
        thumbs: whether there are thumbs at all.
    """

    def __init__(self, *, thumbs: bool = True) -> None:
        super().__init__()
        self._thumbs = thumbs

    def enable(self) -> None:
        """Replace the storages."""
        self._stand_ins: dict[int, StandInStorage] = {}
        self._fields = [(field, _given(field)) for field in _file_fields()]
        self._aliases = {alias: storages[alias] for alias in storages.backends if _makes_thumbs(alias)}
        for field, given in self._fields:
            if given is not _default:
                field.storage = self._stand_in(given)
        self._configure({alias: self._stand_in(storage) for alias, storage in self._aliases.items()})

    def disable(self) -> None:
        """Give the storages back."""
        for field, given in self._fields:
            field.storage = given
        self._configure(self._aliases)

    def _configure(self, by_alias: dict[str, Any]) -> None:
        """Let these be the storages of `STORAGES`, which Django can be told in no other way."""
        storages._storages.update(by_alias)  # type: ignore[attr-defined]
        if "default" in by_alias:
            _default._wrapped = by_alias["default"]

    def _stand_in(self, given: Any) -> Any:
        unbound = getattr(given, "unbound", None)
        if unbound is None:  # it makes no thumbs
            return given
        return self._stand_ins.setdefault(id(unbound), StandInStorage(unbound, thumbs=self._thumbs))


class StandInStorage(InMemoryThumbnailStorage):
    """In memory what another storage has elsewhere."""

    def __init__(self, replaced: Any, *, thumbs: bool) -> None:
        super().__init__()
        self.options = replaced.options
        self._replaced = replaced
        self._makes_thumbs = thumbs

    def url(self, name: str | None, **options: Any) -> str:
        """That of the storage that is replaced."""
        return str(self._replaced.url(name, **options))

    def _thumb_url(self, key: str, force_ssl: bool, query: str, options: dict[str, Any]) -> str:
        return str(self._replaced._thumb_url(key, force_ssl, query, options))

    def _render(
        self, reader: BinaryIO, image_format: str, variants: Sequence[Variant], info: UploadInfo
    ) -> list[Rendered]:
        size = shown_size(reader, [image_format])
        if size is None:  # then there is an error to be raised
            return super()._render(reader, image_format, variants, info)
        info.opened(size)
        return [_of_one_colour(size, variant) for variant in variants] if self._makes_thumbs else []


def _of_one_colour(original: Size, variant: Variant) -> Rendered:
    size = place(original, variant.thumb, variant.density).whole
    return Rendered(variant, _drawn(size, variant.format), size)


@lru_cache(maxsize=64)
def _drawn(size: Size, image_format: str) -> bytes:
    output = io.BytesIO()
    Image.new("RGB", size, "silver").save(output, image_format)
    return output.getvalue()


def _file_fields() -> list[FileField]:
    fields = (field for model in apps.get_models() for field in model._meta.local_fields)
    return [field for field in fields if isinstance(field, FileField)]


def _given(field: FileField) -> Any:
    return field._given if isinstance(field, ThumbsFieldMixin) else field.storage


def _makes_thumbs(alias: str) -> bool:
    backends: Any = storages.backends  # django-stubs have it as something else
    return issubclass(import_string(backends[alias]["BACKEND"]), ThumbnailStorageMixin)

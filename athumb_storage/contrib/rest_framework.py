"""A field for the serializers of Django REST framework, which shows the thumbs of a file and takes uploads.

The extra `rest` brings the framework. Where drf-spectacular is installed, it is told what the field looks like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import models

from athumb_storage.exceptions import AthumbError
from athumb_storage.fieldfiles import ThumbOfFile, thumbs_file
from athumb_storage.thumbsets import ThumbSet
from athumb_storage.validators import MESSAGES, is_stored

try:
    from rest_framework import serializers
    from rest_framework.fields import get_error_detail
except ModuleNotFoundError as error:
    raise ImportError(
        'ThumbsField is for Django REST framework: pip install "athumb-storage[rest]"', name=error.name
    ) from error

if find_spec("drf_spectacular"):
    import athumb_storage.contrib.spectacular  # noqa: F401, registers the schema


class ThumbsField(serializers.FileField):
    """`{"large": {"url": …, "width": …, "height": …, "srcset": …}, …}` of a file; an upload where it is written to.

    It is null for an empty field, and has no thumbs for a file without them. An upload is checked as a form of the
    model does it, and refused with the same words.

    Args:
        thumbs: the names of thumbs and responsive sets to show; None is all but the single widths of the sets.
        model_field: the field of the model that uploads are for; a `ModelSerializer` knows it.
        kwargs: those of the framework's own `FileField`.
    """

    def __init__(
        self, *, thumbs: Sequence[str] | None = None, model_field: models.FileField | None = None, **kwargs: Any
    ) -> None:
        self.thumbs = thumbs
        self._given_field = model_field
        said = kwargs.get("error_messages") or {}
        self._own_words = {code: text for code, text in said.items() if code in MESSAGES}
        super().__init__(**kwargs)

    def to_representation(self, value: Any) -> dict[str, dict[str, Any]] | None:  # type: ignore[override]
        """The thumbs by name; no storage is asked.

        Raises:
            UnknownThumb: there is no thumb of a name that is to be shown.
            AthumbError: the file is not one of a storage that makes thumbs.
        """
        if not value or not is_stored(value):
            return None
        file = thumbs_file(value)
        names = _names(file.storage.thumbs, self.thumbs)
        request = self.context.get("request")
        absolute = request.build_absolute_uri if request else str
        return {name: _shown(ThumbOfFile(file, name), absolute) for name in names} if file.has_thumbs else {}

    def to_internal_value(self, data: Any) -> Any:
        """The upload, checked.

        Raises:
            AthumbError: nobody says which field of a model it is for.
        """
        upload = super().to_internal_value(data)
        field = self._model_field()
        try:
            upload = field.formfield(allow_empty_file=self.allow_empty_file).clean(upload)
            field.run_validators(upload)
        except DjangoValidationError as error:
            for each in error.error_list:
                each.message = self._own_words.get(each.code, each.message)
            raise serializers.ValidationError(get_error_detail(error)) from error
        return upload

    def _model_field(self) -> Any:
        given: Any = self._given_field
        if given:  # the framework copies what a field is made with
            return given.model._meta.get_field(given.name)
        serializer: Any = self.parent
        try:
            return serializer.Meta.model._meta.get_field(self.source)
        except (AttributeError, FieldDoesNotExist):
            raise AthumbError(
                f"{self.field_name}: for which field of a model are its uploads? Say model_field=…, or read_only=True."
            ) from None


def _names(thumbs: ThumbSet, chosen: Iterable[str] | None) -> Iterable[str]:
    if chosen is None:
        widths = {name for names in thumbs.sets.values() for name in names}
        return [name for name in (*thumbs, *thumbs.sets) if name not in widths]
    for name in chosen:
        thumbs.names_of(name)  # which knows it, or raises
    return chosen


def _shown(thumb: ThumbOfFile, absolute: Callable[[str], str]) -> dict[str, Any]:
    width, height = thumb.size
    candidates = [each.partition(" ") for each in thumb.srcset.split(", ") if each]
    srcset = ", ".join(f"{absolute(url)} {descriptor}" for url, _, descriptor in candidates)
    return {"url": absolute(thumb.url), "width": width, "height": height, "srcset": srcset}

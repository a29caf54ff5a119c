"""A column of thumbs for the lists of Django's admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.forms.utils import pretty_name

from athumb_storage.contrib.admin.pictures import file_with_thumbs, image_tag, preview_thumb

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


class ThumbColumn:
    """A thumb in a list: `list_display = [ThumbColumn("image", "square"), "title"]`.

    Args:
        field: the name of the file field, with that of a relation before it, if need be: `product__image`.
        thumb: the thumb name; None is what a preview shows.
        short_description: the heading of the column.
        empty: what is shown where there is no thumb; None is what the admin shows for it.
    """

    def __init__(
        self,
        field: str,
        thumb: str | None = None,
        *,
        short_description: _StrOrPromise | None = None,
        empty: _StrOrPromise | None = None,
    ) -> None:
        self.__name__ = f"{field}_thumb"
        self.short_description = short_description or pretty_name(field.replace("__", " "))
        if empty is not None:
            self.empty_value_display = empty
        self._path = field.split("__")
        self._thumb = thumb

    def __call__(self, row: Any) -> Any:  # it may be None, which django-stubs does not know of
        """The tag of the thumb of a row; None where there is none.

        Raises:
            UnknownThumb: the field has no such thumb.
        """
        value = row
        for name in self._path:
            value = getattr(value, name, None)
        file = file_with_thumbs(value)
        return image_tag(file, self._thumb or preview_thumb(file.storage.thumbs)) if file else None

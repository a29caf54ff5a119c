"""The files of fields with thumbs: the URLs and sizes of thumbs, and what is kept of an upload."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from django.core.files.base import File
from django.db.models.fields.files import FieldFile, ImageFieldFile

from athumb_storage.exceptions import AthumbError, InvalidFocalPoint, OriginalSizeUnknown, UnknownThumb
from athumb_storage.formats import MIME_TYPES, FormatName
from athumb_storage.geometry import Size, exact_size, place
from athumb_storage.rendering import shown_size
from athumb_storage.specs import Thumb
from athumb_storage.uploads import upload_info

if TYPE_CHECKING:
    from athumb_storage.storages.base import ThumbnailStorageMixin

    class _FieldFile(FieldFile):
        field: Any  # a ThumbsFieldMixin, which is a descriptor to type checkers
        storage: ThumbnailStorageMixin  # with another, there are no thumbs to ask for

        def _require_file(self) -> None: ...
else:
    _FieldFile = object


class ThumbsFieldFile(_FieldFile):
    """What a field file with thumbs can do besides."""

    def url_for_thumb(
        self,
        thumb: str | Thumb,
        format: FormatName | None = None,  # noqa: A002, it is the option's name
        density: int = 1,
        **options: Any,
    ) -> str:
        """The URL of a thumb; see the storage's `url_for_thumb`.

        Raises:
            ValueError: there is no file.
            UnknownThumb: the field has no such thumb.
            AthumbError: the field's storage cannot make thumbs.
        """
        self._require_file()
        if self.field.focal:
            with suppress(InvalidFocalPoint):  # no page is to break for it
                options.setdefault("focal", self.field.focal.of(self.instance))
        return str(self._thumb_storage().url_for_thumb(self.name, thumb, format, density, **options))

    def thumb_size(self, thumb: str | Thumb, density: int = 1) -> Size:
        """Width and height of a thumb in pixels, by arithmetic alone.

        Raises:
            ValueError: there is no file.
            UnknownThumb: the field has no such thumb, or not in that density.
            OriginalSizeUnknown: they follow from the original's size, and the field has no `width_field` and
                `height_field`, or they are empty.
        """
        self._require_file()
        thumbs = self._thumb_storage().thumbs
        thumb_name = thumbs.name_of(thumb)
        spec: Thumb = thumbs[thumb_name]
        if density not in spec.densities:
            raise UnknownThumb.variant(thumb_name, "density", density, spec.densities)
        return exact_size(spec, density) or place(self._original_size(), spec, density).whole

    def save(self, name: str, content: Any, save: bool = True) -> None:
        """Django's, which hands on the focal point, and makes the crops for it."""
        content = _as_file(content, name)
        focal = self.field.focal
        if focal:
            upload_info(content).focal = focal.of(self.instance)
        super().save(name, content, save=False)
        if focal:
            focal.made(self.instance)
        if save:
            self.instance.save()

    save.alters_data = True  # type: ignore[attr-defined]  # no template may call it

    def _thumb_storage(self) -> Any:
        if not hasattr(self.storage, "with_thumbs"):
            raise AthumbError(f"{self.field}: {self.storage.__class__.__name__} cannot make thumbs.")
        return self.storage

    def _original_size(self) -> Size:
        names = (getattr(self.field, "width_field", None), getattr(self.field, "height_field", None))
        width, height = (getattr(self.instance, name) if name else None for name in names)
        if not width or not height:
            raise OriginalSizeUnknown(f"{self.field} keeps no size of {self.name!r} in a width_field and height_field.")
        return width, height


def _as_file(content: Any, name: str) -> File[Any]:
    """What the storage is given, which tells and is told by it: Django makes a File of anything else too late."""
    return cast("File[Any]", content) if hasattr(content, "chunks") else File(content, name)


class FileWithThumbsFieldFile(ThumbsFieldFile, FieldFile):
    """The file of a `FileWithThumbsField`."""


class ImageWithThumbsFieldFile(ThumbsFieldFile, ImageFieldFile):
    """The file of an `ImageWithThumbsField`; its width and height are those of the image as it is shown."""

    _is_being_saved = False

    def save(self, name: str, content: Any, save: bool = True) -> None:
        """Django's, which keeps the size of the image that was saved in the `width_field` and `height_field`."""
        content = _as_file(content, name)
        self._is_being_saved = True
        try:
            super().save(name, content, save=False)
        finally:
            self._is_being_saved = False
        self._dimensions_cache = self._size_of(content)
        self.field.keep_size(self.instance, *self._dimensions_cache)
        if save:
            self.instance.save()

    save.alters_data = True  # type: ignore[attr-defined]  # no template may call it

    def _get_image_dimensions(self) -> Size | tuple[None, None]:
        # Django's own does not turn the image as its EXIF orientation says, and lets Pillow's errors through.
        if not hasattr(self, "_dimensions_cache"):
            close = self.closed
            self.open()
            self._dimensions_cache = self._measured(self)
            if close:
                self.close()
        return self._dimensions_cache

    def _size_of(self, content: File[Any]) -> Size | tuple[None, None]:
        info = upload_info(content)
        if info.width and info.height:
            return info.width, info.height
        if hasattr(self.storage, "with_thumbs"):  # it would have told
            return None, None
        content.open()
        return self._measured(content)

    def _measured(self, content: File[Any]) -> Size | tuple[None, None]:
        options = getattr(self.storage, "options", None)
        position = content.tell()
        size = shown_size(cast(BinaryIO, content), options.allowed_formats if options else MIME_TYPES)
        content.seek(position)
        return size or (None, None)

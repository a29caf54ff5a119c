"""The files of fields with thumbs: the URLs and sizes of thumbs, and what is kept of an upload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from django.core.files.base import File
from django.db.models.fields.files import FieldFile, ImageFieldFile

from athumb_storage.exceptions import AthumbError, InvalidFocalPoint, OriginalSizeUnknown, UnknownThumb
from athumb_storage.formats import MIME_TYPES, FormatName
from athumb_storage.geometry import Size, exact_size, whole_size
from athumb_storage.naming import is_marked
from athumb_storage.rendering import shown_size
from athumb_storage.specs import Thumb
from athumb_storage.thumbsets import ThumbSet
from athumb_storage.uploads import upload_info

if TYPE_CHECKING:
    from athumb_storage.storages.base import ThumbnailStorageMixin

    class _FieldFile(FieldFile):
        field: Any  # a ThumbsFieldMixin, which is a descriptor to type checkers
        storage: ThumbnailStorageMixin  # with another, there are no thumbs to ask for

        def _require_file(self) -> None: ...
else:
    _FieldFile = object


Candidate = tuple[str | Thumb, int, str]
"""A thumb, a density, and the descriptor of HTML that tells it from the others."""


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
        if getattr(self.field, "focal", None):  # a plain field has none
            options = {**self._focal_option(), **options}
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
        return exact_size(spec, density) or whole_size(self._original_size(), spec, density)

    def srcset(
        self,
        thumb: str | Thumb,
        format: FormatName | None = None,  # noqa: A002, it is the option's name
        **options: Any,
    ) -> str:
        """The widths of a responsive set, or the densities of a thumb, as HTML's `srcset`; empty if there is but one.

        Widths that the original has not got are left out, where its size is at hand.

        Args:
            thumb: the name of the set or of the thumb, or a Thumb.
            format: one of its formats; None is the plain one.
            options: as for `url_for_thumb`.

        Raises:
            ValueError, UnknownThumb, AthumbError: as `url_for_thumb` does.
        """
        candidates = self._candidates(thumb)
        has_choice = any(descriptor for _, _, descriptor in candidates)
        return self._joined(candidates, [format], options)[0] if has_choice else ""

    def srcsets(self, thumb: str | Thumb, **options: Any) -> list[tuple[FormatName, str]]:
        """Each format of a thumb, best first, with what `srcset` gives for it; the bare URL where there is but one.

        Raises:
            ValueError, UnknownThumb, AthumbError: as `url_for_thumb` does.
        """
        formats = self.formats(thumb)
        return [*zip(formats, self._joined(self._candidates(thumb), formats, options), strict=True)]

    @property
    def has_thumbs(self) -> bool:
        """Whether this file was stored with thumbs, as far as its name tells; see the storage's `has_thumbs`."""
        return hasattr(self.storage, "has_thumbs") and self.storage.has_thumbs(self.name)

    @property
    def has_placeholder_url(self) -> bool:
        """Whether `url_for_thumb` gives the placeholder of a file that was stored without thumbs."""
        options = getattr(self.storage, "options", None)
        return options is not None and options.placeholder_url is not None and is_marked(str(self.name))

    @property
    def placeholder(self) -> str:
        """The ThumbHash of the image, in base64; empty where none is kept."""
        name = getattr(self.field, "placeholder_field", None)
        return str(getattr(self.instance, name) or "") if name else ""

    def formats(self, thumb: str | Thumb) -> tuple[FormatName, ...]:
        """The formats of a thumb, best first; the last is the plain one.

        Raises:
            UnknownThumb: the field has no such thumb.
        """
        return cast("tuple[FormatName, ...]", self._thumb_storage().formats_of(self.name, thumb))

    @property
    def thumbs(self) -> FileThumbs:
        """What pages want to know of each thumb, by thumb name; nothing, if there are none."""
        return FileThumbs(self)

    def save(self, name: str, content: Any, save: bool = True) -> None:
        """Django's, which hands on the focal point, makes the crops for it, and keeps the placeholder."""
        content = _as_file(content, name)
        info, focal = upload_info(content), self.field.focal
        info.wants_placeholder = bool(self.field.placeholder_field)
        if focal:
            info.focal = focal.of(self.instance)
        super().save(name, content, save=False)
        self.field.keep_placeholder(self.instance, info.placeholder)
        if focal:
            focal.made(self.instance)
        if save:
            self.instance.save()

    save.alters_data = True  # type: ignore[attr-defined]  # no template may call it

    def delete(self, save: bool = True) -> None:
        """Django's; there is no placeholder any more."""
        self.field.keep_placeholder(self.instance, None)
        super().delete(save)

    delete.alters_data = True  # type: ignore[attr-defined]

    def _focal_option(self) -> dict[str, Any]:
        if getattr(self.field, "focal", None):
            with suppress(InvalidFocalPoint):  # no page is to break for it
                return {"focal": self.field.focal.of(self.instance)}
        return {}

    def _joined(
        self, candidates: Sequence[Candidate], formats: Sequence[FormatName | None], options: dict[str, Any]
    ) -> list[str]:
        """The `srcset` of each format."""
        self._require_file()
        wanted = [(name, each, density) for each in formats for name, density, _ in candidates]
        options = {**self._focal_option(), **options}
        urls = iter(self._thumb_storage().urls_for_thumbs(self.name, wanted, **options))
        ends = [f" {descriptor}" if descriptor else "" for _, _, descriptor in candidates]
        return [", ".join([next(urls) + end for end in ends]) for _ in formats]

    def _candidates(self, thumb: str | Thumb) -> Sequence[Candidate]:
        """Thumb, density and descriptor of each image that a browser may choose from."""
        thumbs = self._thumb_storage().thumbs
        if isinstance(thumb, str) and thumb in thumbs.sets:
            return self._widths(thumbs, thumb)
        densities = self._distinct_densities(thumb, thumbs[thumbs.name_of(thumb)])
        return [(thumb, density, f"{density}x" if len(densities) > 1 else "") for density in densities]

    def _widths(self, thumbs: ThumbSet, name: str) -> Sequence[Candidate]:
        """The thumbs of a responsive set that are as wide as they are called; else the narrowest, as it is."""
        members, candidates = thumbs.sets[name], _by_width(thumbs.sets[name])
        try:
            across, down = self._original_size()
        except OriginalSizeUnknown:
            return candidates
        if thumbs[members[0]].upscale:
            return candidates
        count = 0  # the narrowest are first
        for each in members:
            width, height = thumbs[each].size
            if (width or 0) > across or (height or 0) > down:
                break
            count += 1
        return candidates[:count] or [(members[0], 1, f"{self.thumb_size(members[0])[0]}w")]

    def _distinct_densities(self, thumb: str | Thumb, spec: Thumb) -> list[int]:
        """Those of which each has other pixels, as far as that can be told."""
        if len(spec.densities) == 1:
            return [1]
        try:
            sizes = {self.thumb_size(thumb, density): density for density in reversed(spec.densities)}
        except OriginalSizeUnknown:
            return [*spec.densities]
        return sorted(sizes.values())

    def _thumb_storage(self) -> Any:
        if not hasattr(self.storage, "with_thumbs"):
            raise AthumbError(f"{self.field}: {self.storage.__class__.__name__} cannot make thumbs.")
        return self.storage

    def _original_size(self) -> Size:
        across, down = getattr(self.field, "width_field", None), getattr(self.field, "height_field", None)
        width = getattr(self.instance, across) if across else None
        height = getattr(self.instance, down) if down else None
        if not width or not height:
            raise OriginalSizeUnknown(f"{self.field} keeps no size of {self.name!r} in a width_field and height_field.")
        return width, height


@lru_cache
def _by_width(members: tuple[str, ...]) -> tuple[Candidate, ...]:
    """All thumbs of a responsive set, with their widths, which their names end with."""
    return tuple((name, 1, f"{name.rpartition('-')[2]}w") for name in members)


@dataclass(frozen=True)
class ThumbOfFile:
    """What pages want to know of one thumb of a file, or of a responsive set, of which the widest counts."""

    file: ThumbsFieldFile
    name: str

    @property
    def url(self) -> str:
        return self.file.url_for_thumb(self.name)

    @property
    def size(self) -> Size | tuple[None, None]:
        """Width and height in pixels; None where they follow from the original's, which are not at hand."""
        try:
            return self.file.thumb_size(self.name)
        except OriginalSizeUnknown:
            return None, None

    @property
    def width(self) -> int | None:
        return self.size[0]

    @property
    def height(self) -> int | None:
        return self.size[1]

    @property
    def srcset(self) -> str:
        return self.file.srcset(self.name)


class FileThumbs(Mapping[str, ThumbOfFile]):
    """The thumbs of a file by name, those of its responsive sets and the sets themselves among them."""

    def __init__(self, file: ThumbsFieldFile) -> None:
        self._file = file

    def __getitem__(self, name: str) -> ThumbOfFile:
        if name not in [*self]:
            raise KeyError(name)
        return ThumbOfFile(self._file, name)

    def __iter__(self) -> Iterator[str]:
        if self._file.has_thumbs:
            thumbs = self._file.storage.thumbs
            yield from (*thumbs, *thumbs.sets)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _as_file(content: Any, name: str) -> File[Any]:
    """What the storage is given, which tells and is told by it: Django makes a File of anything else too late."""
    return cast("File[Any]", content) if hasattr(content, "chunks") else File(content, name)


class FileWithThumbsFieldFile(ThumbsFieldFile, FieldFile):
    """The file of a `FileWithThumbsField`."""


def thumbs_file(file: Any) -> ThumbsFieldFile:
    """The file of any field, as one that can be asked for thumbs.

    Raises:
        AthumbError: it never has thumbs.
    """
    if not hasattr(getattr(file, "storage", None), "has_thumbs") or not isinstance(file, FieldFile):
        raise AthumbError(f"{file!r} has no thumbs: it is not the file of a storage that makes them.")
    # That of a plain field has no such methods, and its storage would look among the thumbs of other fields as well.
    return file if isinstance(file, ThumbsFieldFile) else FileWithThumbsFieldFile(file.instance, file.field, file.name)


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

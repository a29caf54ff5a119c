"""Model fields with thumbs. A field's `storage` is the storage it was given, bound to the field's thumbs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, cast, overload

from django import forms
from django.core.files.storage import default_storage
from django.db import models
from django.db.models.fields.files import FieldFile, ImageFieldFile, ImageFileDescriptor
from django.utils.functional import cached_property

from athumb_storage.exceptions import AthumbError, InvalidThumb, OriginalSizeUnknown
from athumb_storage.formats import FormatName
from athumb_storage.forms import CheckedImageField
from athumb_storage.geometry import Size, place
from athumb_storage.rendering import shown_size
from athumb_storage.specs import Thumb, Thumbs, ThumbSet, checked_format
from athumb_storage.storages.binding import register_field
from athumb_storage.storages.options import OnError, parse_on_error
from athumb_storage.validators import UploadValidator, is_stored, validate_allowable_extension

if TYPE_CHECKING:
    from django.db.models.fields.files import FileDescriptor

    from athumb_storage.storages.base import ThumbnailStorageMixin

    class _FieldFile(FieldFile):
        storage: ThumbnailStorageMixin  # with another, there are no thumbs to ask for

        def _require_file(self) -> None: ...

    # mypy wants the mixin's `__get__` to fit that of ImageField wherever the two meet, so it is one to type checkers.
    # They take a plain FileField with the mixin for an image field, too, which refuses nothing that works.
    _FileField = models.ImageField
else:
    _FieldFile = _FileField = object


class ThumbsFieldFile(_FieldFile):
    """What a field file with thumbs can do besides."""

    def url_for_thumb(self, thumb: str | Thumb, **options: Any) -> str:
        """The URL of a thumb; see the storage's `url_for_thumb`.

        Raises:
            ValueError: there is no file.
            UnknownThumb: the field has no such thumb.
            AthumbError: the field's storage cannot make thumbs.
        """
        self._require_file()
        return str(self._thumb_storage().url_for_thumb(self.name, thumb, **options))

    def thumb_size(self, thumb: str | Thumb) -> Size:
        """Width and height of a thumb in pixels, by arithmetic alone.

        Raises:
            ValueError: there is no file.
            UnknownThumb: the field has no such thumb.
            OriginalSizeUnknown: they follow from the original's size, and the field has no `width_field` and
                `height_field`, or they are empty.
        """
        self._require_file()
        thumbs = self._thumb_storage().thumbs
        spec: Thumb = thumbs[thumbs.name_of(thumb)]
        if spec.crop and spec.upscale:
            return spec.size
        return place(self._original_size(), spec).size

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


class FileWithThumbsFieldFile(ThumbsFieldFile, FieldFile):
    """The file of a `FileWithThumbsField`."""


class ImageWithThumbsFieldFile(ThumbsFieldFile, ImageFieldFile):
    """The file of an `ImageWithThumbsField`; its width and height are those of the image as it is shown."""

    def _get_image_dimensions(self) -> Size | tuple[None, None]:
        # Django's own does not turn the image as its EXIF orientation says, and lets Pillow's errors through.
        if not hasattr(self, "_dimensions_cache"):
            close = self.closed
            self.open()
            position = self.tell()
            self._dimensions_cache: Size | tuple[None, None] = shown_size(cast(BinaryIO, self)) or (None, None)
            self.seek(position)
            if close:
                self.close()
        return self._dimensions_cache


class _ImageDescriptor(ImageFileDescriptor):
    def __set__(self, instance: models.Model, value: Any) -> None:
        # A form assigns the file that it leaves alone as well; Django would fetch it from the storage to measure it.
        if is_stored(value) and value is instance.__dict__.get(self.field.attname):
            return
        super().__set__(instance, value)


_FILE_CLASSES: dict[type, type] = {FieldFile: FileWithThumbsFieldFile, ImageFieldFile: ImageWithThumbsFieldFile}


class ThumbsFieldMixin(_FileField):
    """Gives thumbs to a file field: `class MyField(ThumbsFieldMixin, SomeFileField): pass`.

    Args:
        thumbs: what makes a `ThumbSet`.
        thumbnail_format: the format of each of these thumbs that names none itself.
        on_error: "raise" refuses an image whose thumbs cannot be made, "skip" stores it without them; None is what the
            storage does.
    """

    images_only = False
    """Whether to refuse what is not an image."""

    if TYPE_CHECKING:
        attr_class: Any
        descriptor_class: Any

        @overload  # type: ignore[override]
        def __get__(self, instance: None, owner: Any) -> ImageFileDescriptor: ...
        @overload
        def __get__(self, instance: models.Model, owner: Any) -> ImageWithThumbsFieldFile: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        attr_class = getattr(cls, "attr_class", FieldFile)
        cls.attr_class = _FILE_CLASSES.get(attr_class, attr_class)
        if not issubclass(cls.attr_class, ThumbsFieldFile):
            raise TypeError(f"{cls.__name__}.attr_class has to derive from athumb_storage.fields.ThumbsFieldFile")
        if cls.descriptor_class is ImageFileDescriptor:
            cls.descriptor_class = _ImageDescriptor

    def __init__(
        self,
        *args: Any,
        thumbs: Thumbs = (),
        thumbnail_format: FormatName | None = None,
        on_error: OnError | None = None,
        **kwargs: Any,
    ) -> None:
        self._options = thumbs, thumbnail_format
        self._on_error = on_error
        self._bound: tuple[Any, Any] | None = None
        kwargs.setdefault("max_length", 255)
        super().__init__(*args, **kwargs)

    def contribute_to_class(self, cls: type[models.Model], name: str, **kwargs: Any) -> None:  # type: ignore[override]
        super().contribute_to_class(cls, name, **kwargs)
        self.label = f"{cls._meta.label}.{name}"
        self.thumbs = self._parsed()
        self._check_on_error()
        self._bound = None
        self.__dict__.pop("validators", None)  # a copy of a field has those of the field that it was copied from
        # The models of a migration may carry the thumbs of long ago, which bind nobody.
        if not cls._meta.abstract and cls.__module__ != "__fake__":
            register_field(self)

    def _parsed(self) -> ThumbSet:
        thumbs, thumbnail_format = self._options
        try:
            return ThumbSet(thumbs).with_format(checked_format(thumbnail_format))
        except InvalidThumb as error:
            raise InvalidThumb(f"{self.label}: {error}") from error

    def _check_on_error(self) -> None:
        try:
            if self._on_error is not None:
                parse_on_error(self._on_error)
        except ValueError as error:
            raise InvalidThumb(f"{self.label}: option 'on_error': {error}") from error

    # Bound when it is used and not before: `default_storage` is set up on first use, and again when a test overrides
    # the setting. FileField assigns the attribute, so it has to be one that can be assigned.
    def _bound_storage(self) -> Any:
        given = self._given
        if not hasattr(self, "thumbs"):  # still being made, nothing to bind to yet
            return given
        storage = self.unbound_storage()
        if storage is None:
            return given
        if self._bound is None or self._bound[0] is not storage:
            self._bound = storage, self._bind(storage)
        return self._bound[1]

    def _give_storage(self, storage: Any) -> None:
        self._given = storage
        self._bound = None

    if not TYPE_CHECKING:  # there it is an attribute, as Django's is
        storage = property(_bound_storage, _give_storage)

    def _bind(self, storage: Any) -> Any:
        return storage.with_thumbs(self.thumbs, images_only=self.images_only, on_error=self._on_error)

    def unbound_storage(self) -> Any:
        """The storage as the project gave it; None if it cannot make thumbs."""
        return getattr(self._given, "unbound", None)

    # Validation

    @cached_property
    def validators(self) -> list[Any]:
        """Django's, and one that refuses an upload which could not be saved."""
        return [*super().validators, UploadValidator(self)]

    def formfield(self, **kwargs: Any) -> Any:
        """Django's form field; in place of its `ImageField` one that opens an upload as the storage would."""
        formfield = super().formfield(**kwargs)
        if "form_class" in kwargs or type(formfield) is not forms.ImageField:
            return formfield
        return super().formfield(**kwargs, form_class=CheckedImageField, validator=UploadValidator(self))

    def deconstruct(self) -> Any:
        """As a migration writes it down: the storage as it was given, and no thumbs, which touch no column."""
        name, path, args, kwargs = super().deconstruct()
        given = getattr(self, "_storage_callable", self._given)
        kwargs.pop("storage", None)
        if given is not default_storage:
            kwargs["storage"] = given
        kwargs["max_length"] = self.max_length
        return name, path, args, kwargs


class FileWithThumbsField(ThumbsFieldMixin, models.FileField):
    """A `FileField` whose images get thumbs; other files are stored as they are."""

    if TYPE_CHECKING:

        @overload  # type: ignore[override]
        def __get__(self, instance: None, owner: Any) -> FileDescriptor: ...
        @overload
        def __get__(self, instance: models.Model, owner: Any) -> FileWithThumbsFieldFile: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...


class ImageWithThumbsField(ThumbsFieldMixin, models.ImageField):
    """An `ImageField` with thumbs; what is not an image is refused."""

    images_only = True
    default_validators = [validate_allowable_extension]

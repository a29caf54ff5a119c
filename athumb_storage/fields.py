"""Model fields with thumbs. A field's `storage` is the storage it was given, bound to the field's thumbs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast, overload

from django import forms
from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.core.files.base import File
from django.core.files.storage import InvalidStorageError, default_storage
from django.db import models
from django.db.models.fields.files import FieldFile, ImageFieldFile, ImageFileDescriptor
from django.db.models.signals import post_save
from django.utils.functional import cached_property

from athumb_storage.checking import checked_format
from athumb_storage.exceptions import InvalidThumb
from athumb_storage.fieldfiles import FileWithThumbsFieldFile, ImageWithThumbsFieldFile, ThumbsFieldFile
from athumb_storage.focal import FocalColumn, connect_to_derived, parse_field_name
from athumb_storage.formats import FormatName
from athumb_storage.forms import CheckedImageField
from athumb_storage.specs import OriginalOptions, parse_original
from athumb_storage.storages.binding import register_field
from athumb_storage.storages.options import OnError, parse_on_error
from athumb_storage.thumbsets import Thumbs, ThumbSet
from athumb_storage.validators import UploadValidator, is_stored, validate_allowable_extension

if TYPE_CHECKING:
    from django.db.models.fields.files import FileDescriptor

    # mypy wants the mixin's `__get__` to fit that of ImageField wherever the two meet, so it is one to type checkers.
    # They take a plain FileField with the mixin for an image field, too, which refuses nothing that works.
    _FileField = models.ImageField
else:
    _FileField = object

__all__ = [
    "FileWithThumbsField",
    "FileWithThumbsFieldFile",
    "ImageWithThumbsField",
    "ImageWithThumbsFieldFile",
    "ThumbsFieldFile",
    "ThumbsFieldMixin",
]

logger = logging.getLogger("athumb_storage")


class _ImageDescriptor(ImageFileDescriptor):
    def __set__(self, instance: models.Model, value: Any) -> None:
        previous = instance.__dict__.get(self.field.attname)
        if isinstance(previous, ImageWithThumbsFieldFile) and previous._is_being_saved:
            instance.__dict__[self.field.attname] = value  # its size comes from the storage
        elif not is_stored(value):
            super().__set__(instance, value)
            if previous is None and not instance._state.adding:  # it was deferred, which Django takes for a new row
                self.field.update_dimension_fields(instance, force=True)
        elif value is not previous:  # a form assigns the file that it leaves alone as well
            # Django would fetch it from the storage to measure it; the row that it comes from knows its size.
            instance.__dict__[self.field.attname] = value
            if previous is not None:
                cast(ThumbsFieldMixin, self.field).take_kept(instance, value)


_FILE_CLASSES: dict[type, type] = {FieldFile: FileWithThumbsFieldFile, ImageFieldFile: ImageWithThumbsFieldFile}


class ThumbsFieldMixin(_FileField):
    """Gives thumbs to a file field: `class MyField(ThumbsFieldMixin, SomeFileField): pass`.

    Args:
        thumbs: what makes a `ThumbSet`.
        thumbnail_format: the format, or several, of each of these thumbs that names none itself.
        on_error: "raise" refuses an image whose thumbs cannot be made, "skip" stores it without them; None is what the
            storage does.
        original: what an original is bounded to before it is stored; None is what the storage does.
        focal_field: the name of the field that has the focal point of the image, as text such as "0.30,0.20".
        placeholder_field: the name of the field that keeps the image's ThumbHash, in base64, of at most 40 characters.
    """

    focal: FocalColumn | None = None
    """Where the focal points stand."""

    images_only = False
    """Whether to refuse what is not an image."""
    _is_historical = False
    """Whether it is of a model as it was at a migration."""

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
        thumbnail_format: FormatName | Sequence[FormatName] | None = None,
        on_error: OnError | None = None,
        original: OriginalOptions | None = None,
        focal_field: str | None = None,
        placeholder_field: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._options = thumbs, thumbnail_format
        self._on_error = on_error
        self._original = original
        self.focal_field = focal_field
        self.placeholder_field = placeholder_field
        self._bound: tuple[Any, Any] | None = None
        kwargs.setdefault("max_length", 255)
        super().__init__(*args, **kwargs)

    def contribute_to_class(self, cls: type[models.Model], name: str, **kwargs: Any) -> None:  # type: ignore[override]
        super().contribute_to_class(cls, name, **kwargs)
        self.label = f"{cls._meta.label}.{name}"
        self._late = f"_late_of_{name}"  # what a row notes under
        self.thumbs = self._parsed()
        self._check_options()
        self._bound = None
        self.__dict__.pop("validators", None)  # a copy of a field has those of the field that it was copied from
        if cls._meta.abstract:
            return
        self._is_historical = cls.__module__ == "__fake__"
        if not self._is_historical:
            register_field(self)
        if any(self._kept_fields()):
            post_save.connect(self._save_kept, sender=cls)
            if not self._is_historical:
                connect_to_derived(post_save, self._save_kept, cls)
        if self.focal_field:
            self.focal = FocalColumn(self, self.focal_field)
            self.focal.connect()

    def _parsed(self) -> ThumbSet:
        thumbs, thumbnail_format = self._options
        try:
            return ThumbSet(thumbs).with_format(checked_format(thumbnail_format))
        except InvalidThumb as error:
            raise InvalidThumb(f"{self.label}: {error}") from error

    def _check_options(self) -> None:
        given: dict[str, tuple[Any, Callable[[Any], object]]] = {
            "on_error": (self._on_error, parse_on_error),
            "original": (self._original, parse_original),
            "focal_field": (self.focal_field, parse_field_name),
            "placeholder_field": (self.placeholder_field, parse_field_name),
        }
        for option, (value, parse) in given.items():
            try:
                if value is not None:
                    parse(value)
            except ValueError as error:
                raise InvalidThumb(f"{self.label}: option {option!r}: {error}") from error

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
        field = self._in_code() if self._is_historical else self
        return storage.with_thumbs(
            field.thumbs, images_only=field.images_only, on_error=field._on_error, original=field._original
        )

    def _in_code(self) -> ThumbsFieldMixin:
        """What the code has now for this field of a migration's model, whose row is going to be one of the code's."""
        try:
            field = apps.get_model(self.model._meta.label)._meta.get_field(self.name)
            if isinstance(field, ThumbsFieldMixin):
                return field
        except (LookupError, FieldDoesNotExist):
            pass
        logger.warning("%s is no field with thumbs any more: what a migration stores by it gets none.", self.label)
        return self

    def unbound_storage(self) -> Any:
        """The storage as the project gave it; None if it cannot make thumbs, or is there no more."""
        try:
            return getattr(self._given, "unbound", None)
        except InvalidStorageError:
            return None

    # What is kept of an image, in the fields for that

    def _kept_fields(self) -> tuple[str | None, str | None, str | None]:
        """The names of those for the width, the height and the placeholder."""
        return getattr(self, "width_field", None), getattr(self, "height_field", None), self.placeholder_field

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Django's, which stores an upload; notes what is kept of it in columns whose values were taken before."""
        before = self._kept(model_instance)
        file = super().pre_save(model_instance, add)
        changed = {name for name, value in self._kept(model_instance).items() if value != before[name]}
        if changed:
            columns = [column.attname for column in model_instance._meta.concrete_fields]
            model_instance.__dict__[self._late] = changed & {*columns[: columns.index(self.attname)]}
        return file

    def _kept(self, instance: models.Model) -> dict[str, Any]:
        return {name: instance.__dict__.get(name) for name in self._kept_fields() if name}

    def keep_size(self, instance: models.Model, width: int | None, height: int | None) -> None:
        """Set the `width_field` and `height_field`, if there are any."""
        for name, value in zip(self._kept_fields(), (width, height), strict=False):
            if name:
                setattr(instance, name, value)

    def keep_placeholder(self, instance: models.Model, placeholder: str | None) -> None:
        """Set the `placeholder_field`, if there is one."""
        if self.placeholder_field:
            setattr(instance, self.placeholder_field, placeholder or "")

    def take_kept(self, instance: models.Model, file: Any) -> None:
        """Take what is kept of a stored file from the row that it comes from, as far as that is loaded."""
        for name, theirs in zip(self._kept_fields(), file.field._kept_fields(), strict=True):
            if name and theirs in file.instance.__dict__:
                setattr(instance, name, file.instance.__dict__[theirs])

    def update_dimension_fields(self, instance: models.Model, force: bool = False, *args: Any, **kwargs: Any) -> None:
        """Django's, for an upload; to load a row is to ask no storage."""
        file = instance.__dict__.get(self.attname)
        if force or (isinstance(file, File) and not is_stored(file)):
            super().update_dimension_fields(instance, force, *args, **kwargs)

    def _save_kept(self, instance: models.Model, update_fields: Any, using: str, **_: Any) -> None:
        """Save what Django leaves out: what came too late, and with `update_fields` all but the name."""
        left_out = instance.__dict__.pop(self._late, set())
        if update_fields and self.name in update_fields:
            left_out = {*self._kept(instance)} - {*update_fields} | left_out
        values = {name: instance.__dict__[name] for name in left_out if name in instance.__dict__}
        if values:
            type(instance)._base_manager.using(using).filter(pk=instance.pk).update(**values)

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

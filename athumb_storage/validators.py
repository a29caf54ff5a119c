"""Validators of uploads: an answer to whoever fills in a form, before anything is stored."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, Final, Protocol

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.core.validators import FileExtensionValidator
from django.db.models.fields.files import FieldFile
from django.forms import ImageField
from django.utils.translation import gettext_lazy as _

from athumb_storage.exceptions import ImageLimitExceeded, UploadedImageIsUnreadableError
from athumb_storage.formats import HEAD_SIZE, sniff
from athumb_storage.geometry import parse_point
from athumb_storage.uploads import upload_info

MESSAGES: Final = {
    "invalid_image": ImageField.default_error_messages["invalid_image"],
    "invalid_focal_point": _("Two fractions from 0 to 1 are wanted, such as 0.30,0.20."),
    "image_too_large": _("The image is too large: it has more pixels, frames or bytes than are allowed."),
}
"""What is said of an upload that is refused, by the code of the error."""

SEED_EXTENSIONS: Final = ("png", "jpg", "jpeg", "gif")
"""django-athumb's default of `ALLOWABLE_THUMBNAIL_EXTENSIONS`."""


class ImageUploadExtensionValidator(FileExtensionValidator):
    """django-athumb's rule: a file has one of the extensions in the setting `ALLOWABLE_THUMBNAIL_EXTENSIONS`.

    Without that setting these are png, jpg, jpeg and gif; with `allowed_extensions` the setting is not asked. Capitals
    do not matter. The codes of its errors are django-athumb's: "extension_not_allowed", and "no_extension".
    """

    code = "extension_not_allowed"

    def __call__(self, value: Any) -> None:
        allowed = self.allowed_extensions
        if allowed is None:
            # Read now and not when the validator is made: a test may override it.
            allowed = getattr(settings, "ALLOWABLE_THUMBNAIL_EXTENSIONS", SEED_EXTENSIONS)
        is_bare = self.code == type(self).code and not PurePath(value.name).suffix
        FileExtensionValidator(allowed, self.message, "no_extension" if is_bare else self.code)(value)


def validate_allowable_extension(value: Any) -> None:
    """`ImageUploadExtensionValidator` in a project that has its setting; elsewhere every extension will do."""
    if hasattr(settings, "ALLOWABLE_THUMBNAIL_EXTENSIONS"):
        ImageUploadExtensionValidator()(value)


def validate_focal_point(value: str) -> None:
    """Refuses what is no focal point, such as "0.30,0.20".

    Raises:
        ValidationError: of the code "invalid_focal_point".
    """
    try:
        parse_point(value)
    except ValueError as error:
        raise ValidationError(MESSAGES["invalid_focal_point"], code="invalid_focal_point") from error


class ThumbsField(Protocol):
    """What a field tells its validator."""

    images_only: bool
    """Whether to refuse what is no image."""

    @property
    def storage(self) -> Any:
        """The storage that its files are saved to."""
        ...


class UploadValidator:
    """Refuses the uploads that the storage of a model field would refuse to save as images."""

    def __init__(self, field: ThumbsField) -> None:
        self.field = field

    def __call__(self, value: Any) -> None:
        """Validate what is to be saved; what is stored already is not read again.

        Raises:
            ValidationError: of the code "invalid_image" or "image_too_large".
        """
        upload = _to_be_saved(value) if self.can_check() else None
        if upload is None or upload_info(upload).checked_by is self.field:
            return
        try:
            self.check(upload, images_only=self.field.images_only)
        except UploadedImageIsUnreadableError as error:
            code = code_of(error)
            raise ValidationError(MESSAGES[code], code=code) from error

    def can_check(self) -> bool:
        """Whether the field's storage is one that opens images."""
        return hasattr(self.field.storage, "check_image")

    def check(self, upload: Any, *, images_only: bool) -> Any:
        """The image in an upload, opened by Pillow and not decoded yet; the upload is left at its beginning.

        Args:
            upload: an open file that can go back.
            images_only: whether to refuse what is no image.

        Returns:
            The image; None if this is none, or one that cannot be read and is kept all the same.

        Raises:
            UploadedImageIsUnreadableError, ImageLimitExceeded: as the storage's `check_image`.
        """
        image = self._image(upload, images_only)
        # So that a form's upload is decoded once, and not again when the form validates its model.
        upload_info(upload).checked_by = self.field
        return image

    def _image(self, upload: Any, images_only: bool) -> Any:
        storage = self.field.storage
        is_image = format_of(upload) in storage.options.allowed_formats
        if not is_image and not images_only:
            return None
        try:
            return storage.check_image(upload)
        except UploadedImageIsUnreadableError:
            if is_image and storage.on_error == "skip":
                upload.seek(0)
                return None
            raise


def code_of(error: UploadedImageIsUnreadableError) -> str:
    """The code of the validation error that this error becomes, a key of `MESSAGES`."""
    return "image_too_large" if isinstance(error, ImageLimitExceeded) else "invalid_image"


def format_of(upload: Any) -> str | None:
    """The format of an upload as its first bytes tell; the upload is left at its beginning."""
    upload.seek(0)
    head = upload.read(HEAD_SIZE)
    upload.seek(0)
    return None if isinstance(head, str) else sniff(head)


def is_stored(value: Any) -> bool:
    """Whether this is a file that was saved before, which to read again may mean to fetch it."""
    return isinstance(value, FieldFile) and value._committed  # type: ignore[attr-defined]  # not in the stubs


def _to_be_saved(value: Any) -> Any:
    """The content that a model's value will be saved from; None if there is none, or none that can be read twice."""
    if not isinstance(value, File) or is_stored(value):
        return None
    content = value.file if isinstance(value, FieldFile) else value
    if content.closed:
        content.open()
    # A stream that cannot go back would be used up; it is checked when it is saved.
    return content if content.seekable() else None

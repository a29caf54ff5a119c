"""The form field of a model field with thumbs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import FileExtensionValidator, validate_image_file_extension

from athumb_storage.exceptions import UploadedImageIsUnreadableError
from athumb_storage.formats import MIME_TYPES, UPLOAD_EXTENSIONS
from athumb_storage.validators import MESSAGES, UploadValidator, code_of, format_of, is_stored


class CheckedImageField(forms.ImageField):
    """Django's `ImageField`, which leaves it to a storage to open the upload.

    Django's own lets every plugin of Pillow try, has no limits, and decodes nothing, so that it finds a file in order
    that is cut off. The cleaned file has an `image`, opened by Pillow and not decoded yet, and the `content_type` of
    its bytes. `image` is None where an image that cannot be read is kept all the same.

    Args:
        validator: that of the model field which the upload is for.
    """

    default_error_messages = MESSAGES
    default_validators = []  # Django's own allows, and lists in its error, every extension that Pillow knows

    def __init__(self, *, validator: UploadValidator, validators: Iterable[Any] = (), **kwargs: Any) -> None:
        self._validator = validator
        super().__init__(validators=[self._validate_extension, *validators], **kwargs)

    def _validate_extension(self, upload: Any) -> None:
        if not self._validator.can_check():
            validate_image_file_extension(upload)
        elif not is_stored(upload):
            allowed = self._validator.field.storage.options.allowed_formats
            extensions = [name for fmt, names in UPLOAD_EXTENSIONS.items() if fmt in allowed for name in names]
            FileExtensionValidator(extensions)(upload)

    def to_python(self, data: Any) -> Any:
        if is_stored(data):  # a disabled field is given the file that it shows
            return data
        if not self._validator.can_check():
            return super().to_python(data)
        upload: Any = super(forms.ImageField, self).to_python(data)
        if upload is None:
            return None
        try:
            upload.image = self._validator.check(upload, images_only=True)
        except UploadedImageIsUnreadableError as error:
            code = code_of(error)
            raise ValidationError(self.error_messages[code], code=code) from error
        upload.content_type = MIME_TYPES[str(format_of(upload))]
        return upload

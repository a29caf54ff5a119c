"""HEIC images, which Pillow does not open by itself. The extra `heif` brings the decoder."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any, BinaryIO, Final

from PIL import ImageFile

from athumb_storage.exceptions import UploadedImageIsUnreadableError
from athumb_storage.formats import MIME_TYPES

HEIC_NEEDED: Final = 'HEIC images are read with pi-heif: pip install "athumb-storage[heif]"'
"""What is said where there is no decoder."""


@cache
def can_read_heic() -> bool:
    """Whether the decoder is installed. It is not loaded before an image needs it."""
    return find_spec("pi_heif") is not None


def readable_formats() -> frozenset[str]:
    """The formats of originals that can be read: HEIC only where there is a decoder."""
    return frozenset(MIME_TYPES) if can_read_heic() else frozenset(MIME_TYPES) - {"HEIC"}


def open_heic(reader: BinaryIO) -> ImageFile.ImageFile:
    """The image in `reader`, not yet decoded.

    It is not opened by a plugin of Pillow's, which all of the process would have.

    Raises:
        UploadedImageIsUnreadableError: there is no decoder.
    """
    if not can_read_heic():
        raise UploadedImageIsUnreadableError(HEIC_NEEDED)
    return _HeicImageFile(reader)


_MODES: Final = ("L", "RGB", "RGBA", "RGBa")
"""Colours of more than 8 bits are cut to 8. Where greys have more, pi-heif 1.4 believes the header, and writes over the
end of what was allocated for the pixels if these have but 8.
"""


class _HeicImageFile(ImageFile.ImageFile):
    """The picture that a file is to be shown by, upright and with the mode and the profile that it has."""

    format = "HEIC"

    def _open(self) -> None:
        from pi_heif import open_heif

        pictures = open_heif(self.fp, remove_stride=False)
        picture = pictures[pictures.primary_index]
        if picture.mode not in _MODES:
            raise OSError("A HEIC of greys of more than 8 bits is not supported")
        self._picture = picture
        self._size, self._mode = picture.size, picture.mode
        if "icc_profile" in picture.info:
            self.info["icc_profile"] = picture.info["icc_profile"]

    def load(self) -> Any:
        if self._picture:  # else the pixels are there
            picture, self._picture = self._picture, None
            pixels = picture.data
            if picture.size != self.size:
                raise OSError(f"the picture has a size of {picture.size} and not of {self.size}")
            self.load_prepare()
            self.frombytes(pixels, "raw", (picture.mode, picture.stride))
        return super().load()

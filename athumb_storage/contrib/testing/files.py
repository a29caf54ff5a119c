"""Images to upload, and looks at what is stored."""

from __future__ import annotations

import io
import os
from typing import Any, cast

from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from PIL import Image


def draw(
    size: tuple[int, int] = (300, 200), mode: str = "RGB", color: str | tuple[int, ...] = "red", **options: Any
) -> bytes:
    """The bytes of an image of one colour; `options` are Pillow's `save` options, with a `format`."""
    options.setdefault("format", "JPEG")
    output = io.BytesIO()
    Image.new(mode, size, color).save(output, **options)
    return output.getvalue()


def noise(size: tuple[int, int] = (300, 200), fmt: str = "JPEG") -> bytes:
    """An image that compresses badly, so that cutting it off cuts off pixels."""
    output = io.BytesIO()
    Image.frombytes("RGB", size, os.urandom(size[0] * size[1] * 3)).save(output, fmt)
    return output.getvalue()


def upload(name: str = "cat.jpg", data: bytes | None = None, **options: Any) -> ContentFile[bytes]:
    """What a form hands to a field: named content in memory, which is drawn unless `data` is given."""
    return ContentFile(draw(**options) if data is None else data, name=name)


def content_of(storage: Storage, name: str) -> bytes:
    """The bytes of a file."""
    with storage.open(name, "rb") as file:
        return cast(bytes, file.read())


def image_in(storage: Storage, key: str) -> Image.Image:
    """The image that is stored at `key`, decoded."""
    image = Image.open(io.BytesIO(content_of(storage, key)))
    image.load()
    return image


def colour_at(image: Image.Image, x: int, y: int) -> tuple[int, int, int]:
    """Red, green and blue of a pixel, each from 0 to 255."""
    return cast("tuple[int, int, int]", image.convert("RGB").getpixel((x, y)))


def stored(storage: Storage, folder: str = "") -> list[str]:
    """The names of all files in a storage that can list, sorted; `folder` ends with a slash."""
    try:
        folders, files = storage.listdir(folder)
    except FileNotFoundError:
        if folder:
            raise
        return []  # the place of the storage is made by the first save
    below = [name for each in folders for name in stored(storage, f"{folder}{each}/")]
    return sorted([folder + file for file in files] + below)

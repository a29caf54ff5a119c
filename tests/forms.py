"""A form with an image, and what it says of bad ones."""

from __future__ import annotations

import zlib

from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.hostile.builder import png
from tests.shop.models import Product

NO_IMAGE = "Upload a valid image. The file you uploaded was either not an image or a corrupted image."
TOO_LARGE = "The image is too large: it has more pixels, frames or bytes than are allowed."

BOMB = png(40_000, 40_000, colour=2, pixels=zlib.compress(bytes(100)))
"""A PNG that says in its head how large it is, and has next to no pixels."""


class ProductForm(forms.ModelForm):
    class Meta:
        model = Product
        fields = ["name", "image"]


def product_form(data, name="cat.jpg", **options):
    return ProductForm({"name": "Cat"}, {"image": SimpleUploadedFile(name, data)}, **options)

"""The upload form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms

from .models import Photo

if TYPE_CHECKING:
    PhotoFormBase = forms.ModelForm[Photo]
else:
    PhotoFormBase = forms.ModelForm


class PhotoForm(PhotoFormBase):
    class Meta:
        model = Photo
        fields = ["title", "image"]

"""The upload form."""

from django import forms

from .models import Photo

PhotoForm = forms.modelform_factory(Photo, fields=["title", "image"])

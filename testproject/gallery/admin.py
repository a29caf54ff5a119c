"""Photos in the admin, with a thumb in the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.utils.html import format_html

from .models import Photo

if TYPE_CHECKING:
    PhotoAdminBase = admin.ModelAdmin[Photo]
else:
    PhotoAdminBase = admin.ModelAdmin


@admin.register(Photo)
class PhotoAdmin(PhotoAdminBase):
    list_display = ["thumb", "title", "width", "height", "uploaded_at"]
    list_display_links = ["thumb", "title"]
    search_fields = ["title"]

    @admin.display(description="Thumb")
    def thumb(self, photo: Photo) -> str:
        return format_html('<img src="{}" alt="" width="60" height="60">', photo.image.url_for_thumb("square"))

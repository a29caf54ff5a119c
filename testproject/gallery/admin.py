"""Photos in the admin, with a thumb in the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from athumb_storage.contrib.admin import ThumbColumn

from .models import Photo

if TYPE_CHECKING:
    PhotoAdminBase = admin.ModelAdmin[Photo]
else:
    PhotoAdminBase = admin.ModelAdmin


@admin.register(Photo)
class PhotoAdmin(PhotoAdminBase):
    thumb = ThumbColumn("image", "square", short_description="Thumb")
    list_display = [thumb, "title", "width", "height", "uploaded_at"]
    list_display_links = [thumb, "title"]
    search_fields = ["title"]

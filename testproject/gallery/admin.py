"""Photos in the admin, with a thumb in the list, and showpieces, with a picker of the focal point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from athumb_storage.contrib.admin import ThumbColumn

from .models import Photo, Showpiece

if TYPE_CHECKING:
    PhotoAdminBase = admin.ModelAdmin[Photo]
    ShowpieceAdminBase = admin.ModelAdmin[Showpiece]
else:
    PhotoAdminBase = ShowpieceAdminBase = admin.ModelAdmin


@admin.register(Photo)
class PhotoAdmin(PhotoAdminBase):
    thumb = ThumbColumn("image", "square", short_description="Thumb")
    list_display = [thumb, "title", "width", "height", "uploaded_at"]
    list_display_links = [thumb, "title"]
    search_fields = ["title"]


@admin.register(Showpiece)
class ShowpieceAdmin(ShowpieceAdminBase):
    fields = ["title", "image", "image_focus"]
    list_display = [ThumbColumn("image", "detail", short_description="Thumb"), "title"]
    list_display_links = ["title"]

"""The widget of a field with thumbs: Django's own below a preview, in which the focal point can be chosen."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.admin.widgets import AdminFileWidget
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from athumb_storage.contrib.admin.pictures import (
    file_with_thumbs,
    image_tag,
    preview_thumb,
    size_of,
    uncropped_thumb,
)
from athumb_storage.fieldfiles import ThumbsFieldFile

ORIGINAL = _("Original")
FOCAL_POINT = _("Focal point")
HINT = _("Click on what the crops are to show, or use the arrow keys.")
TOLD = _("{x} from the left, {y} from the top")


class _DeferredScript(str):
    """The path of a script that runs when the page is parsed. Django's own `Script` is there from 5.2 on only."""

    __slots__ = ()

    def __html__(self) -> SafeString:
        return format_html('<script src="{}" defer></script>', static(str(self)))


class ThumbsFileWidget(AdminFileWidget):
    """Django's clearable file input, below a preview that links to the original.

    Where the field has a focal point that is in the same form, it can be chosen in the preview.
    """

    template_name = "athumb_storage/admin/thumbs_file_input.html"

    class Media:
        css = {"all": ["athumb_storage/admin.css"]}
        js = [_DeferredScript("athumb_storage/admin.js")]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Django's, and the preview."""
        context = super().get_context(name, value, attrs)
        file = file_with_thumbs(value)
        if file:
            context["preview"] = _preview(file, _focal_input(name, file.field))
        return context


def _focal_input(name: str, field: Any) -> str | None:
    """The name of the input for the focal point, beside that of the file, whose name this is."""
    if field.focal_field and name.endswith(field.name):
        return name.removesuffix(field.name) + str(field.focal_field)
    return None


def _preview(file: ThumbsFieldFile, focal_input: str | None) -> dict[str, Any]:
    thumbs = file.storage.thumbs
    preview: dict[str, Any] = {"url": file.url, "original": ORIGINAL}
    if focal_input is None:
        return {**preview, "image": image_tag(file, preview_thumb(thumbs))}
    image = image_tag(file, uncropped_thumb(thumbs))
    return {**preview, "image": image, "label": FOCAL_POINT, "hint": HINT, "picker": _picker(file, focal_input)}


def _picker(file: ThumbsFieldFile, focal_input: str) -> str:
    """What the script has to know."""
    thumbs = file.storage.thumbs
    alike = {name for names in thumbs.sets.values() for name in names[:-1]}  # of a responsive set, one is enough
    crops = [
        {"name": name, "size": size_of(file, name) or thumb.size, "upscale": thumb.upscale}
        for name, thumb in thumbs.items()
        if thumb.crop == "focal" and name not in alike
    ]
    return json.dumps({"input": focal_input, "original": size_of(file), "crops": crops, "told": str(TOLD)})

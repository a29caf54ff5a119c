"""The list of photos, the upload form, and the pages of showpieces."""

import logging

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from athumb_storage.exceptions import AthumbError

from .forms import PhotoForm
from .models import Photo, Showpiece

logger = logging.getLogger(__name__)


@require_safe
def photo_list(request: HttpRequest) -> HttpResponse:
    context = {"photos": Photo.objects.all(), "showpieces": Showpiece.objects.all()}
    return render(request, "gallery/photo_list.html", context)


@require_safe
def showpiece(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "gallery/showpiece.html", {"photo": get_object_or_404(Showpiece, pk=pk)})


@require_http_methods(["GET", "HEAD", "POST"])
def photo_add(request: HttpRequest) -> HttpResponse:
    form = PhotoForm(request.POST or None, request.FILES or None)
    if form.is_valid() and saved(form):
        return redirect("photo-list")
    return render(request, "gallery/photo_form.html", {"form": form})


def saved(form: PhotoForm) -> bool:
    """Whether a valid form could be saved; if not, it says so."""
    try:
        form.save()
    except AthumbError:  # the photo is good: the storage failed
        logger.exception("A photo could not be stored.")
        form.add_error("image", "The photo could not be stored. Please try again later.")
        return False
    return True

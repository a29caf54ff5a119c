"""The list of photos and the upload form."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from athumb_storage.exceptions import AthumbError

from .forms import PhotoForm
from .models import Photo


@require_safe
def photo_list(request: HttpRequest) -> HttpResponse:
    return render(request, "gallery/photo_list.html", {"photos": Photo.objects.all()})


@require_http_methods(["GET", "HEAD", "POST"])
def photo_add(request: HttpRequest) -> HttpResponse:
    form = PhotoForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        try:
            form.save()
        except AthumbError as error:
            form.add_error("image", str(error))
        else:
            return redirect("photo-list")
    return render(request, "gallery/photo_form.html", {"form": form})

"""The pages of the test project."""

from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import path
from gallery import views

urlpatterns = [
    path("", views.photo_list, name="photo-list"),
    path("add/", views.photo_add, name="photo-add"),
    path("showpieces/<int:pk>/", views.showpiece, name="showpiece"),
    path("admin/", admin.site.urls),
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),  # empty unless DEBUG
]

"""A Django project in one process: every peer installed and set up as its documentation tells."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.files.uploadedfile import InMemoryUploadedFile, TemporaryUploadedFile, UploadedFile

from tests.benchmarks.context import Context
from tests.benchmarks.sets import QUALITY

PEER_APPS = ("easy_thumbnails", "sorl.thumbnail", "imagekit", "pictures", "versatileimagefield")
COUNTING_CACHE = "tests.benchmarks.counting.CountingCache"


def s3_options(context: Context, *, slow: bool = False) -> dict[str, Any]:
    """The options every storage is given, ours and django-storages' alike."""
    options: dict[str, Any] = {
        "bucket_name": context.bucket,
        "endpoint_url": context.slow_endpoint_url if slow else context.endpoint_url,
        "access_key": context.access_key,
        "secret_key": context.secret_key,
        "region_name": "us-east-1",
        "querystring_auth": False,
    }
    if context.custom_domain:
        options["custom_domain"] = context.custom_domain
    return options


def set_up(context: Context, *, peers: bool = False, slow: bool = False) -> None:
    """Configure Django once for this process, with the tables of the apps made in memory."""
    settings.configure(
        DEBUG=False,
        USE_TZ=True,
        SECRET_KEY="bench",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        CACHES={"default": {"BACKEND": COUNTING_CACHE}},
        STORAGES={
            "default": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": s3_options(context, slow=slow)},
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        },
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        INSTALLED_APPS=[*_our_apps(), "tests.benchmarks", *(PEER_APPS if peers else ())],
        **(_peer_settings() if peers else {}),
    )
    django.setup()
    if peers:
        from django.core.management import call_command

        call_command("migrate", verbosity=0)


def _our_apps() -> list[str]:
    return ["athumb_storage"] if importlib.util.find_spec("athumb_storage") else []


def _peer_settings() -> dict[str, Any]:
    return {
        "THUMBNAIL_QUALITY": QUALITY,  # easy-thumbnails and sorl-thumbnail
        "THUMBNAIL_DEFAULT_STORAGE_ALIAS": "default",
        "IMAGEKIT_DEFAULT_CACHEFILE_STRATEGY": "imagekit.cachefiles.strategies.Optimistic",
        "IMAGEKIT_CACHE_TIMEOUT": None,
        "VERSATILEIMAGEFIELD_SETTINGS": {
            "create_images_on_demand": False,
            "jpeg_resize_quality": QUALITY,
            "webp_resize_quality": QUALITY,
            "progressive_jpeg": True,
        },
        "PICTURES": {
            "USE_PLACEHOLDERS": False,
            "PIXEL_DENSITIES": [1],
            "PICTURE_CLASS": "tests.benchmarks.peers.pictures.Quality85Picture",
            # The thumbs are wanted before the save returns, as all the others do it: no task queue.
            "PROCESSOR": "pictures.tasks._process_picture",
        },
    }


def upload(path: Path) -> UploadedFile:
    """The photo as Django's upload handlers would give it: in memory up to 2.5 MB, else a temporary file."""
    size = path.stat().st_size
    if size <= settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
        return InMemoryUploadedFile(io.BytesIO(path.read_bytes()), "image", path.name, "image/jpeg", size, None)
    content = TemporaryUploadedFile(path.name, "image/jpeg", size, None)
    with path.open("rb") as source:
        while chunk := source.read(1 << 16):
            content.write(chunk)
    content.flush()
    content.seek(0)
    return content

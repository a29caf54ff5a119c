"""Settings of the test project, for Django 4.2 to 6.1. Everything that varies comes from environment variables.

DEMO_STORAGE   ``file`` (the default) or ``s3``
DEMO_VAR       folder of the database and the uploads (default: ``var`` beside ``manage.py``)
DEMO_DB        path of the SQLite database (default: ``db.sqlite3`` in that folder)
SECRET_KEY, DEBUG
AWS_STORAGE_BUCKET_NAME, AWS_S3_ENDPOINT_URL, AWS_S3_REGION_NAME, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
AWS_QUERYSTRING_AUTH   signed URLs unless it is ``0``
AWS_CONDITIONAL_WRITES   ``1`` for a server that honours conditional writes, ``0`` for one that does not
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("DEMO_VAR", BASE_DIR / "var"))
VAR_DIR.mkdir(parents=True, exist_ok=True)

SECRET_KEY = os.environ.get("SECRET_KEY", "for-the-demo-only-never-use-this-key-on-a-public-site")
DEBUG = os.environ.get("DEBUG", "1") == "1"
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "athumb_storage",
    "athumb_storage.contrib.admin",
    "gallery",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DEMO_DB", VAR_DIR / "db.sqlite3"),
        # Seconds; one process writes at a time, and others have to wait rather than fail.
        "OPTIONS": {"timeout": 30},
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

if not DEBUG:  # then Django's own handlers print nothing
    LOGGING = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": "WARNING"},
    }

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
MEDIA_URL = "/media/"
MEDIA_ROOT = VAR_DIR / "media"


def _photo_storage() -> dict[str, Any]:
    if os.environ.get("DEMO_STORAGE", "file") != "s3":
        return {"BACKEND": "athumb_storage.storages.FileSystemThumbnailStorage"}
    options = {
        "bucket_name": os.environ.get("AWS_STORAGE_BUCKET_NAME", "media"),
        "endpoint_url": os.environ.get("AWS_S3_ENDPOINT_URL"),
        "region_name": os.environ.get("AWS_S3_REGION_NAME"),
        "access_key": os.environ.get("AWS_ACCESS_KEY_ID"),
        "secret_key": os.environ.get("AWS_SECRET_ACCESS_KEY"),
        "querystring_auth": os.environ.get("AWS_QUERYSTRING_AUTH", "1") == "1",
        "conditional_writes": {"1": True, "0": False}.get(os.environ.get("AWS_CONDITIONAL_WRITES", "")),
    }
    return {
        "BACKEND": "athumb_storage.storages.S3ThumbnailStorage",
        "OPTIONS": {name: value for name, value in options.items() if value is not None},
    }


STORAGES = {
    "default": _photo_storage(),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

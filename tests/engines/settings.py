"""The settings of a project with a task engine, as the docs have them; the rest comes from the environment, as JSON."""

import json
import os
import re
from pathlib import Path

from tests.settings import *  # noqa: F403, a project's settings
from tests.settings import INSTALLED_APPS, STORAGES

_given = json.loads(os.environ["ATHUMB_ENGINE"])

INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "athumb_storage.distributed"]
DATABASES = {"default": _given["database"]}
STORAGES = STORAGES | {"default": {"BACKEND": "tests.engines.storages.DeadlyStorage", "OPTIONS": _given["storage"]}}
ATHUMB_LEASE_SECONDS = _given["lease"]

_HEADINGS = {"celery": "Celery over Redis", "db": "django-tasks-db"}
_page = (Path(__file__).parents[2] / "docs" / "distributed.md").read_text()
_section = re.split(rf"^## {_HEADINGS[_given['engine']]}$", _page, maxsplit=1, flags=re.M)[1]
exec(re.search(r"^```text\n(# settings\.py\n.*?)^```$", _section, re.M | re.S)[1])
assert "athumb_storage.distributed" in INSTALLED_APPS

if _given["engine"] == "celery":
    CELERY_BROKER_URL = _given["broker"]
    # Longer than a range takes here, unless a test wants to see what comes of a shorter one.
    CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"] = _given.get("visibility", 15)  # noqa: F405

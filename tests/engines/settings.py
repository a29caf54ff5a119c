"""The settings of a project with a task engine; what differs comes from the environment, as JSON."""

import json
import os

from tests.settings import *  # noqa: F403, a project's settings
from tests.settings import INSTALLED_APPS, STORAGES

_given = json.loads(os.environ["ATHUMB_ENGINE"])

DATABASES = {"default": _given["database"]}
STORAGES = STORAGES | {"default": {"BACKEND": "tests.engines.storages.DeadlyStorage", "OPTIONS": _given["storage"]}}
ATHUMB_LEASE_SECONDS = _given["lease"]

if _given["engine"] == "celery":
    INSTALLED_APPS = [*INSTALLED_APPS, "django_tasks_fennel"]
    TASKS = {"default": {"BACKEND": "django_tasks_fennel.backend.CeleryBackend"}}
    CELERY_BROKER_URL = _given["broker"]
    CELERY_WORKER_PREFETCH_MULTIPLIER = 1
    CELERY_TASK_ANNOTATIONS = {
        "django_tasks:athumb_storage.distributed.tasks.work": {"acks_late": True, "reject_on_worker_lost": True}
    }
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 15,  # longer than a range takes here; a project has more
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
    }
else:
    INSTALLED_APPS = [*INSTALLED_APPS, "django_tasks_db"]
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

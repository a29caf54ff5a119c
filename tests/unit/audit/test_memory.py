"""What an audit keeps in memory does not grow with the files and rows. Measured by processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MIB = 1 << 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak can be read on Linux alone"),
]

MEASURE = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from django.conf import settings
count, what, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/rows.sqlite3"}}
apps = ["athumb_storage", "tests.stock"]
settings.configure(INSTALLED_APPS=apps, DATABASES=databases, MEDIA_ROOT=folder, USE_TZ=True,
    STOCK_REPLACED="stock.Photo",
    STORAGES={"default": {"BACKEND": "athumb_storage.storages.FileSystemThumbnailStorage"}})
import django
django.setup()
from django.db import connection
from athumb_storage.audit import Scope, audited, due
from athumb_storage.storages.listing import StoredFile
from tests.stock.models import Photo, Framed, Poster, Scan, Attachment, Labelled, Numbered
with connection.schema_editor() as editor:
    for model in (Photo, Framed, Poster, Scan, Attachment, Labelled, Numbered):
        editor.create_model(model)
for start in range(0, count, 1000):
    Photo.objects.bulk_create(Photo(image=f"{number:09}.jpg") for number in range(start, start + 1000))

def listed(*_):
    now = datetime.now(UTC)
    for number in range(count):
        # A thumb is surplus, another is missing, and of every other original none is named.
        yield StoredFile(f"{number:09}.jpg", 1, now)
        yield StoredFile(f"{number:09}.jpg.thumbs/small.jpg", 1, now)
        yield StoredFile(f"{number:09}.jpg.thumbs/old.jpg", 1, now)
        yield StoredFile(f"{number:09}-b.jpg", 1, now)

def status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name + ":"))

field = Photo._meta.get_field("image")
before = status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
if what == "audit":
    with audited(Scope([field]), listing=listed) as audit:
        found = {kind: total.count for kind, total in audit.totals().items()}
        assert sum(1 for _ in audit.findings("surplus_thumbs")) == count
else:
    type(field.storage).list_files = listed
    found = sum(1 for _ in due(field, missing=True, stale=True))
print(json.dumps({"added": status("VmHWM") - before, "found": found}))
"""


def measured(count, what, folder):
    folder.mkdir()
    command = [sys.executable, "-c", MEASURE, str(count), what, str(folder)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("what", ["audit", "due"])
def test_memory_does_not_grow(tmp_path, what):
    few, many = (measured(count, what, tmp_path / str(count)) for count in (10_000, 100_000))
    if what == "due":
        assert (few["found"], many["found"]) == (10_000, 100_000)
    else:
        assert many["found"] == {
            "missing_originals": 0,
            "missing_thumbs": 100_000,
            "stale_thumbs": 0,
            "surplus_thumbs": 100_000,
            "orphaned_thumbs": 0,
            "orphaned_originals": 100_000,
        }
    assert many["added"] < few["added"] + 4 * MIB, (few["added"] / MIB, many["added"] / MIB)
    assert many["added"] < 32 * MIB

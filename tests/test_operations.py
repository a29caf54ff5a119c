"""What each job costs and needs, as the pages on scaling and operations say: every request is seen at the proxy."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from athumb_storage.storages import S3ThumbnailStorage
from tests.benchmarks.sets import SEED
from tests.conftest import draw, upload
from tests.proxy import Proxy
from tests.shop.models import Product

pytestmark = pytest.mark.django_db(databases=["default", "other"])

DOCS = Path(__file__).resolve().parent.parent / "docs"
IMAGES = 20

RIGHTS = {
    "GET": "s3:GetObject",
    "HEAD": "s3:GetObject",
    "PUT": "s3:PutObject",
    "LIST": "s3:ListBucket",
    "DELETE": "s3:DeleteObject",
}
"""Which right a request needs: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html"""


@pytest.fixture
def site(s3_server, s3_options, monkeypatch, settings):
    with Proxy(s3_server.endpoint_url) as proxy:
        options = {**s3_options, "endpoint_url": proxy.url, "conditional_writes": True}
        storage = S3ThumbnailStorage(thumbs=SEED.as_thumbs(), **options)
        field = Product._meta.get_field("image")
        monkeypatch.setattr(field, "_given", storage)
        monkeypatch.setattr(field, "_bound", (storage, storage))
        settings.ATHUMB_PRUNE_PREFIXES = [f"s3://{storage.bucket_name}/"]
        yield Site(storage, proxy)


class Site:
    """A shop on S3, whose requests are counted."""

    def __init__(self, storage: S3ThumbnailStorage, proxy: Proxy) -> None:
        self.storage = storage
        self._proxy = proxy

    def script(self, job):
        """What is sent and received while a job is done."""
        script = self._proxy.script(self.storage.bucket_name)
        job()
        return script

    def requests(self, job) -> Counter[str]:
        """What S3 is asked meanwhile, by S3's words for it."""
        return Counter(map(_kind, self.script(job).requests))

    def upload(self) -> None:
        for number in range(IMAGES):
            Product.objects.create(image=upload(f"{number}.jpg", draw((300, 200))))

    def spoil(self) -> None:
        self.storage.delete_thumbs("products/0.jpg")

    def forget(self) -> None:
        Product.objects.all().delete()


def _kind(request) -> str:
    if request.method == "GET" and "list-type=2" in request.path:
        return "LIST"
    return "DELETE" if request.method == "POST" and request.path.endswith("?delete") else request.method


def command(*arguments, **options):
    def run():
        try:
            call_command(*arguments, stdout=io.StringIO(), stderr=io.StringIO(), **options)
        except CommandError as error:
            if error.returncode not in (3, 4):  # what an audit ends with where something is to be told
                raise

    return run


REGENERATE = command("athumb_regen_field", "shop.Product", "image", workers=3)
MISSING = command("athumb_regen_field", "shop.Product", "image", "--missing", "--stale", workers=3)
AUDIT = command("athumb_audit")
PRUNE = command("athumb_audit", "--prune", "--originals", "--min-age=0", "--noinput")


class TestScaling:
    """The table of requests and bytes for each image with six thumbs."""

    def said(self, job: str) -> dict[str, str]:
        page = (DOCS / "scaling.md").read_text()
        header, _, *lines = re.search(r"^\| job \|.*?\n\n", page, re.M | re.S)[0].strip().splitlines()
        names = [name.strip() for name in header.strip("|").split("|")]
        (line,) = [line for line in lines if line.startswith(f"| {job} ")]
        return dict(zip(names, (cell.strip() for cell in line.strip("|").split("|")), strict=True))

    def compare(self, site, job: str, do) -> None:
        """For each image; one listing or deletion is enough for a thousand keys, and thumbs and originals go apart."""
        files = [*site.storage.list_files()]
        script = site.script(do)
        requests, said = Counter(map(_kind, script.requests)), self.said(job)
        assert requests["LIST"] <= 1
        assert requests["DELETE"] <= 2
        for kind in ("GET", "HEAD", "PUT"):
            assert requests[kind] / IMAGES == float(said[kind] or 0), kind
        for kind in ("LIST", "DELETE"):
            assert bool(requests[kind]) * 7 / 1000 == float(said[kind] or 0), kind
        files = files or [*site.storage.list_files()]
        stored = {"original": 0, "thumbs": 0}
        for file in files:
            stored["original" if site.storage.naming.original(file.name) is None else "thumbs"] += file.size
        for way, count in (("sent", script.sent), ("received", script.received)):
            *payload, overhead = said[way].split(" + ")
            left = (count - sum(stored[what] for what in payload)) / IMAGES / 1000
            told = float(re.fullmatch(r"([\d.]+) kB", overhead)[1])
            assert left == pytest.approx(told, rel=0.25, abs=0.3), (way, left)

    def test_upload(self, site):
        self.compare(site, "upload", site.upload)

    def test_regenerate(self, site):
        site.upload()
        self.compare(site, "regenerate", REGENERATE)

    def test_audit(self, site):
        site.upload()
        self.compare(site, "audit", AUDIT)

    def test_prune(self, site):
        site.upload()
        site.forget()
        self.compare(site, "prune", PRUNE)
        assert [*site.storage.list_files()] == []


class TestRights:
    """The policies are those that the jobs need, and no more."""

    def said(self, number: int) -> set[str]:
        page = (DOCS / "operations.md").read_text()
        policies = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", page, re.M | re.S)]
        assert len(policies) == 4
        statements = policies[number]["Statement"]
        for statement in statements:
            of_bucket = statement["Action"] == ["s3:ListBucket"]
            assert statement["Resource"] == f"arn:aws:s3:::media{'' if of_bucket else '/*'}"
        return {action for statement in statements for action in statement["Action"]}

    def seen(self, requests: Counter[str]) -> set[str]:
        return {RIGHTS[kind] for kind in requests}

    def test_web(self, site):
        def serve():
            site.upload()
            for product in Product.objects.all():
                product.image.delete()

        requests = site.requests(serve)
        # Nothing is read by it here; a write whose answer is lost is looked for, and a page may open a file.
        assert self.seen(requests) | {"s3:GetObject"} == self.said(0)

    def test_worker(self, site):
        site.upload()
        site.spoil()
        assert self.seen(site.requests(MISSING)) == self.said(1)

    def test_audit(self, site):
        site.upload()
        site.spoil()
        assert self.seen(site.requests(AUDIT)) == self.said(2)

    def test_prune(self, site):
        site.upload()
        site.forget()
        assert self.seen(site.requests(PRUNE)) == self.said(3)

"""django-athumb's names for settings."""

from __future__ import annotations

import pytest
from botocore.awsrequest import AWSResponse
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile

from athumb_storage.storages import S3ThumbnailStorage
from tests.conftest import THUMBS, upload


def test_a_cname_is_the_custom_domain(settings):
    settings.AWS_STORAGE_BUCKET_CNAME = "media.example.com"
    storage = S3ThumbnailStorage(bucket_name="media", thumbs=THUMBS)
    assert storage.url_for_thumb("cat.jpg", "small") == "https://media.example.com/cat.jpg.thumbs/small.jpg"


@pytest.mark.parametrize(
    ("given", "region"),
    [
        ("eu-west-1", "eu-west-1"),
        ("s3-eu-west-1.amazonaws.com", "eu-west-1"),
        ("s3.eu-central-1.amazonaws.com", "eu-central-1"),
        ("s3.amazonaws.com", None),
        ("", None),
        (None, None),
    ],
)
def test_a_region_or_the_host_of_one(settings, given, region):
    settings.AWS_REGION = given
    assert S3ThumbnailStorage(bucket_name="media").region_name == region


def test_headers_are_object_parameters(settings, make_s3, s3_server, bucket):
    settings.AWS_HEADERS = {
        "Cache-Control": "max-age=9",
        "x-amz-meta-Author": "me",
        "x-amz-acl": "public-read",
        "content-language": "en",
    }
    storage = make_s3(thumbs=THUMBS)
    assert storage.object_parameters == {
        "CacheControl": "max-age=9",
        "Metadata": {"author": "me"},
        "ACL": "public-read",
        "ContentLanguage": "en",
    }
    storage.save("cat.jpg", upload())
    for key in ("cat.jpg", "cat.jpg.thumbs/small.jpg"):
        found = s3_server.client().head_object(Bucket=bucket, Key=key)
        assert (found["CacheControl"], found["ContentLanguage"]) == ("max-age=9", "en")
        assert {name.lower(): value for name, value in found["Metadata"].items()}["author"] == "me"


AMAZONS = {
    "x-amz-grant-full-control": "id=1",
    "x-amz-grant-read": "id=2",
    "x-amz-grant-read-acp": "id=3",
    "x-amz-grant-write-acp": "id=4",
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-aws-kms-key-id": "key-5",
    "x-amz-storage-class": "STANDARD_IA",
    "x-amz-tagging": "kind=photo",
    "x-amz-website-redirect-location": "/cats/",
}


def test_headers_of_amazon_are_sent_as_they_were(settings, make_s3):
    settings.AWS_HEADERS = AMAZONS
    storage, sent = make_s3(), []

    def answered(request, **_):
        sent.append({name.lower(): value for name, value in request.headers.items()})
        return AWSResponse(request.url, 200, {"ETag": '"1"'}, RawResponse())

    # What servers make of each is not ours to test, and not all know all of them.
    events = storage.client.meta.events
    events.register("before-send.s3.PutObject", answered)
    try:
        storage.save("cat.txt", ContentFile(b"words"))
    finally:
        events.unregister("before-send.s3.PutObject", answered)
    (headers,) = sent
    texts = {name: value.decode() if isinstance(value, bytes) else value for name, value in headers.items()}
    assert AMAZONS.items() <= texts.items()


class RawResponse:
    """The body of an answer: nothing."""

    def stream(self):
        return iter(())


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"X-Unheard-Of": "1"}, "'X-Unheard-Of'.*AWS_S3_OBJECT_PARAMETERS"),
        (lambda name: {}, "function.*get_object_parameters"),
        ("Cache-Control: 1", "mapping"),
    ],
    ids=["unknown", "function", "text"],
)
def test_headers_that_cannot_be_understood_are_named(settings, headers, words):
    settings.AWS_HEADERS = headers
    with pytest.raises(ImproperlyConfigured, match=f"AWS_HEADERS.*{words}"):
        S3ThumbnailStorage(bucket_name="media")


def test_the_settings_of_django_storages_and_options_come_first(settings):
    settings.AWS_STORAGE_BUCKET_CNAME, settings.AWS_S3_CUSTOM_DOMAIN = "old.example.com", "new.example.com"
    settings.AWS_REGION, settings.AWS_S3_REGION_NAME = "eu-west-1", "eu-west-2"
    settings.AWS_HEADERS, settings.AWS_S3_OBJECT_PARAMETERS = {"Expires": "0"}, {"CacheControl": "max-age=1"}
    storage = S3ThumbnailStorage(bucket_name="media")
    assert (storage.custom_domain, storage.region_name) == ("new.example.com", "eu-west-2")
    assert storage.object_parameters == {"CacheControl": "max-age=1"}
    assert S3ThumbnailStorage(bucket_name="media", custom_domain="own.example.com").custom_domain == "own.example.com"
    del settings.AWS_S3_CUSTOM_DOMAIN
    assert S3ThumbnailStorage(bucket_name="media", custom_domain=None).custom_domain is None

"""URLs prepared once, and signed URLs that keep for a window."""

from __future__ import annotations

import urllib.request
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.exceptions import ImproperlyConfigured

from athumb_storage.storages import PublicS3ThumbnailStorage, S3ThumbnailStorage
from tests.conftest import upload

THUMBS = {"small": {"size": (20, 20)}}
WINDOW = 3600
NAMES = ["photos/cat.jpg", "cat.jpg", "./a//b/cat.jpg", "a/.hidden/cat.jpg", "ca t+%41.jpg", "写真/é.jpg", "a\\b.jpg"]


@pytest.fixture
def clock(monkeypatch):
    """The moment that signatures are made at, in seconds; a test moves it by setting `clock.now`."""

    class Clock:
        now = 1_800_000_000.0  # the beginning of an hour

    monkeypatch.setattr("athumb_storage.storages.s3.urls.time.time", lambda: Clock.now)
    return Clock


def key_pair():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(*encoding, serialization.NoEncryption()).decode()


@pytest.mark.parametrize("options", [{}, {"location": "där"}, {"custom_domain": "media.example.com"}], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_unsigned_urls_are_those_that_django_storages_builds(make_s3, options, name):
    storage = make_s3(PublicS3ThumbnailStorage, thumbs=THUMBS, **options)
    assert storage.url_for_thumb(name, "small") == storage.url(storage.thumb_key(name, "small"))


def test_a_projects_own_url_method_counts(make_s3):
    class Elsewhere(PublicS3ThumbnailStorage):
        def url(self, name, **options):
            return f"https://elsewhere.example.com/{name}"

    storage = make_s3(Elsewhere, thumbs=THUMBS)
    assert storage.url_for_thumb("cat.jpg", "small") == "https://elsewhere.example.com/cat.jpg.thumbs/small.jpg"


def test_a_signed_url_is_the_same_for_its_window_in_every_process(make_s3, clock):
    storages = [make_s3(thumbs=THUMBS, signed_url_window=WINDOW) for _ in range(2)]
    first = storages[0].url_for_thumb("cat.jpg", "small")
    clock.now += WINDOW - 1
    assert [storage.url_for_thumb("cat.jpg", "small") for storage in storages] == [first, first]
    clock.now += 1
    assert storages[0].url_for_thumb("cat.jpg", "small") != first


def test_without_a_window_nothing_is_remembered(make_s3):
    storage = make_s3(thumbs=THUMBS)
    urls = {storage.url_for_thumb("cat.jpg", "small", expire=seconds) for seconds in (60, 61)}
    assert len(urls) == 2


@pytest.mark.parametrize("name", ["photos/cat.jpg", "ca t+%41 ü.jpg"])
def test_a_windowed_url_can_be_fetched(make_s3, name):
    storage = make_s3(thumbs=THUMBS, signed_url_window=WINDOW, location="där")
    storage.save(name, upload())
    with urllib.request.urlopen(storage.url_for_thumb(name, "small")) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "image/jpeg"


def test_a_windowed_url_lasts_as_long_as_it_should_from_any_moment_of_its_window(make_s3, clock):
    storage = make_s3(thumbs=THUMBS, signed_url_window=WINDOW, querystring_expire=100)
    query = parse_qs(urlsplit(storage.url_for_thumb("cat.jpg", "small")).query)
    assert query["X-Amz-Date"] == ["20270115T080000Z"]
    assert query["X-Amz-Expires"] == [str(WINDOW + 100)]


ACCESS_POINTS = [
    "arn:aws:s3:eu-west-1:123456789012:accesspoint/photos",
    "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/photos",
    "arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-01234567890123456/accesspoint/photos",
    "arn:aws:s3-object-lambda:eu-west-1:123456789012:accesspoint/photos",
]


@pytest.mark.parametrize("bucket_name", ["media", *ACCESS_POINTS])
@pytest.mark.parametrize("region_name", ["us-east-1", "eu-central-1"])
def test_region_and_service_are_those_that_botocore_signs_for(make_s3, clock, bucket_name, region_name):
    if "-cn" in bucket_name:
        region_name = "cn-north-1"
    options = {"bucket_name": bucket_name, "endpoint_url": None, "region_name": region_name}
    plain = urlsplit(make_s3(signature_version="s3v4", **options).url("cat.jpg.thumbs/small.jpg"))
    windowed = urlsplit(make_s3(thumbs=THUMBS, signed_url_window=WINDOW, **options).url_for_thumb("cat.jpg", "small"))
    assert windowed[:3] == plain[:3]
    scopes = [parse_qs(url.query)["X-Amz-Credential"][0].split("/") for url in (plain, windowed)]
    assert scopes[0][2:] == scopes[1][2:]


def test_what_would_last_longer_than_s3_allows_is_refused(make_s3):
    # https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    week = 604_800
    make_s3(thumbs=THUMBS, signed_url_window=WINDOW, querystring_expire=week - WINDOW)
    with pytest.raises(ImproperlyConfigured, match="604801 s together"):
        make_s3(signed_url_window=WINDOW, querystring_expire=week - WINDOW + 1)
    make_s3(signed_url_window=WINDOW, querystring_expire=week, custom_domain="media.example.com")


def test_other_options_are_signed_anew(make_s3, clock):
    storage = make_s3(thumbs=THUMBS, signed_url_window=WINDOW)
    assert "X-Amz-Expires=7&" in storage.url_for_thumb("cat.jpg", "small", expire=7)


def test_a_session_token_is_part_of_a_windowed_url(make_s3, clock):
    storage = make_s3(thumbs=THUMBS, signed_url_window=WINDOW, security_token="the-token")
    assert "X-Amz-Security-Token=the-token" in storage.url_for_thumb("cat.jpg", "small")


def test_cloudfront_signatures_keep_for_the_window_too(make_s3, clock):
    options = {"custom_domain": "media.example.com", "cloudfront_key_id": "K1", "cloudfront_key": key_pair()}
    storage = make_s3(thumbs=THUMBS, signed_url_window=WINDOW, querystring_expire=100, **options)
    first = storage.url_for_thumb("cat.jpg", "small")
    clock.now += WINDOW - 1
    assert storage.url_for_thumb("cat.jpg", "small") == first
    query = parse_qs(urlsplit(first).query)
    assert query["Key-Pair-Id"] == ["K1"]
    assert query["Expires"] == [str(1_800_000_000 + WINDOW + 100)]
    clock.now += 1
    assert storage.url_for_thumb("cat.jpg", "small") != first


def test_no_credentials_are_a_clear_error(make_s3, monkeypatch, tmp_path):
    from botocore.exceptions import NoCredentialsError

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    storage = make_s3(thumbs=THUMBS, signed_url_window=WINDOW, access_key=None, secret_key=None)
    with pytest.raises(NoCredentialsError):
        storage.url_for_thumb("cat.jpg", "small")


def test_a_bound_storage_makes_the_same_urls(make_s3, clock):
    storage = make_s3(S3ThumbnailStorage, thumbs=THUMBS, signed_url_window=WINDOW)
    bound = storage.with_thumbs({"large": {"size": (90, 90)}})
    assert bound.url_for_thumb("cat.jpg", "small") == storage.url_for_thumb("cat.jpg", "small")

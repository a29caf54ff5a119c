"""What is special to S3: requests, headers, URLs, and uploads at the same moment."""

from __future__ import annotations

import base64
import copy
import gzip
import io
import json
import os
import pickle
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import django
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from storages.backends.s3 import S3Storage

from athumb_storage import UploadFailed
from athumb_storage.storages import PublicS3ThumbnailStorage, S3ThumbnailStorage
from athumb_storage.storages.s3.client import POOL_SIZE
from tests.conftest import KEYS, THUMBS, content_of, draw, image_in, noise, stored, upload

ONE = {"small": {"size": (30, 30)}}


@pytest.fixture
def head(s3_server, bucket):
    """What the bucket tells of an object."""
    client = s3_server.client()
    return lambda key: client.head_object(Bucket=bucket, Key=key)


def fetched(url):
    """Status, headers and body of what an HTTP client gets."""
    with urllib.request.urlopen(url) as answer:
        return answer.status, dict(answer.headers), answer.read()


def by_method(requests):
    return sorted(method for method, _ in requests)


# What is stored


def test_content_types_come_from_the_bytes(make_s3, head):
    storage = make_s3(thumbs={"as_named": {"size": (30, 30)}, "web": {"size": (30, 30), "format": "WEBP"}})
    storage.save("cat.jpg", SimpleUploadedFile("cat.jpg", draw(format="PNG"), content_type="text/html"))
    assert head("cat.jpg")["ContentType"] == "image/png"
    assert head("cat.jpg.thumbs/as_named.jpg")["ContentType"] == "image/jpeg"
    assert head("cat.jpg.thumbs/web.webp")["ContentType"] == "image/webp"
    assert image_in(storage, "cat.jpg.thumbs/as_named.jpg").format == "JPEG"


@pytest.mark.parametrize(
    "options", [{"unique_names": True}, {"file_overwrite": True}, {"conditional_writes": False}, {}]
)
def test_the_clients_content_type_does_not_count_for_an_image(make_s3, head, options):
    storage = make_s3(thumbs=ONE, **options)
    name = storage.save("cat.html", SimpleUploadedFile("cat.html", draw(), content_type="text/html"))
    assert head(name)["ContentType"] == "image/jpeg"


@pytest.mark.parametrize(
    ("fmt", "content_type"),
    [
        ("GIF", "image/gif"),
        ("AVIF", "image/avif"),
        ("BMP", "image/bmp"),
        ("TIFF", "image/tiff"),
        ("WEBP", "image/webp"),
    ],
)
def test_the_content_type_of_each_format(make_s3, head, fmt, content_type):
    storage = make_s3(thumbs=ONE)
    assert head(storage.save("cat", upload(format=fmt)))["ContentType"] == content_type


@pytest.mark.parametrize("conditional_writes", [True, False])
@pytest.mark.parametrize(
    ("name", "content_type", "expected"),
    [
        ("notes.txt", None, "text/plain"),
        ("notes.txt", "text/markdown", "text/markdown"),
        ("data", None, "application/octet-stream"),
        ("notes.txt.gz", None, "text/plain"),
    ],
)
def test_a_plain_file_has_the_content_type_it_had_upstream(
    make_s3, head, s3_options, conditional_writes, name, content_type, expected
):
    def content():
        file = ContentFile(b"some text")
        file.content_type = content_type
        return file

    upstream = {key: value for key, value in s3_options.items() if key != "conditional_writes"}
    S3Storage(location="theirs", **upstream).save(name, content())
    ours = make_s3(location="ours", thumbs=ONE, conditional_writes=conditional_writes, content_types="name")
    ours.save(name, content())
    theirs, ours = head(f"theirs/{name}"), head(f"ours/{name}")
    assert ours["ContentType"] == theirs["ContentType"] == expected
    assert ours.get("ContentEncoding") == theirs.get("ContentEncoding")


def test_thumbs_take_the_originals_object_parameters(make_s3, head):
    storage = make_s3(thumbs=ONE, object_parameters={"CacheControl": "max-age=60", "Metadata": {"by": "me"}})
    storage.save("cat.jpg", upload())
    for key in ("cat.jpg", "cat.jpg.thumbs/small.jpg"):
        assert head(key)["CacheControl"] == "max-age=60"
        assert head(key)["Metadata"]["by"] == "me"


def test_thumbs_have_object_parameters_of_their_own(make_s3, head):
    storage = make_s3(
        thumbs=ONE,
        object_parameters={"CacheControl": "max-age=60", "ContentLanguage": "en"},
        thumb_object_parameters={"CacheControl": "max-age=31536000, immutable"},
    )
    storage.save("cat.jpg", upload())
    assert head("cat.jpg")["CacheControl"] == "max-age=60"
    assert head("cat.jpg.thumbs/small.jpg")["CacheControl"] == "max-age=31536000, immutable"
    assert head("cat.jpg.thumbs/small.jpg")["ContentLanguage"] == "en"


FOR_EVER = "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("options", "thumb", "expected"),
    [
        ({"naming": "fingerprint"}, {}, FOR_EVER),
        ({"naming": "fingerprint"}, {"crop": True}, FOR_EVER),
        ({"naming": "fingerprint"}, {"crop": "focal"}, None),
        ({"naming": "fingerprint", "file_overwrite": True}, {}, None),
        ({"naming": "fingerprint", "object_parameters": {"CacheControl": "max-age=5"}}, {}, "max-age=5"),
        ({"naming": "fingerprint", "thumb_object_parameters": {"CacheControl": "max-age=5"}}, {}, "max-age=5"),
        ({"naming": "folder"}, {}, None),
    ],
)
def test_what_has_a_fingerprint_may_be_cached_for_ever(make_s3, head, options, thumb, expected):
    storage = make_s3(thumbs={"small": {"size": (30, 30), **thumb}}, **options)
    storage.save("cat.jpg", upload())
    key = storage.thumb_key("cat.jpg", "small")
    assert head(key).get("CacheControl") == expected
    storage.delete_thumbs("cat.jpg")
    storage.generate_thumbs("cat.jpg")
    assert head(key).get("CacheControl") == expected
    assert head("cat.jpg").get("CacheControl") == options.get("object_parameters", {}).get("CacheControl")


def test_the_projects_get_object_parameters_is_asked_for_each_object(make_s3, head):
    class Languages(S3ThumbnailStorage):
        def get_object_parameters(self, name):
            return {**super().get_object_parameters(name), "Metadata": {"key": name.replace("/", "-")}}

    make_s3(Languages, thumbs=ONE, location="media").save("cat.jpg", upload())
    assert head("media/cat.jpg")["Metadata"]["key"] == "media-cat.jpg"
    assert head("media/cat.jpg.thumbs/small.jpg")["Metadata"] == {"key": "media-cat.jpg.thumbs-small.jpg"}


def acl_by_key(exchanges):
    puts = [request for request in exchanges if request.method == "PUT"]
    return {urlsplit(request.url).path.split("/", 2)[2]: request.headers.get("x-amz-acl") for request in puts}


@pytest.mark.parametrize(
    ("options", "acl"),
    [
        ({}, None),
        ({"default_acl": "public-read"}, b"public-read"),
        ({"object_parameters": {"ACL": "private"}, "default_acl": "public-read"}, b"private"),
    ],
)
def test_the_acl_of_original_and_thumbs(make_s3, exchanges, options, acl):
    make_s3(thumbs=ONE, **options).save("cat.jpg", upload())
    found = acl_by_key(exchanges)
    assert set(found) == {"cat.jpg", "cat.jpg.thumbs/small.jpg"}
    assert set(found.values()) <= {acl, acl and acl.decode()}


def test_thumbs_have_an_acl_of_their_own(make_s3, exchanges):
    make_s3(thumbs=ONE, default_acl="private", thumb_object_parameters={"ACL": "public-read"}).save("cat.jpg", upload())
    found = {key: str(acl, "ascii") if isinstance(acl, bytes) else acl for key, acl in acl_by_key(exchanges).items()}
    assert found == {"cat.jpg": "private", "cat.jpg.thumbs/small.jpg": "public-read"}


def test_the_public_storage_stores_public_read(make_s3, exchanges):
    storage = make_s3(PublicS3ThumbnailStorage, thumbs=ONE)
    storage.save("cat.jpg", upload())
    assert {str(acl) for acl in acl_by_key(exchanges).values()} <= {"public-read", "b'public-read'"}
    assert len(exchanges) == 2
    assert "?" not in storage.url("cat.jpg")
    assert "?" not in storage.url_for_thumb("cat.jpg", "small")


def test_a_location_is_before_every_key(make_s3):
    storage = make_s3(thumbs=THUMBS, location="media/of mine")
    assert storage.save("cat.jpg", upload()) == "cat.jpg"
    assert stored(make_s3()) == [f"media/of mine/{key}" for key in KEYS]
    assert stored(storage) == KEYS
    assert storage.thumb_key("cat.jpg", "small") == KEYS[1]
    assert fetched(storage.url_for_thumb("cat.jpg", "small"))[0] == 200
    assert set(storage.generate_thumbs("cat.jpg").values()) == set(KEYS[1:])
    storage.delete("cat.jpg")
    assert stored(make_s3()) == []


@pytest.mark.parametrize("conditional_writes", [True, False])
def test_plain_files_are_zipped_as_upstream_does(make_s3, head, s3_server, bucket, conditional_writes):
    storage = make_s3(thumbs=ONE, gzip=True, conditional_writes=conditional_writes, content_types="name")
    css = b"p { color: red }" * 100
    storage.save("style.css", ContentFile(css))
    storage.save("notes.txt", ContentFile(css))
    assert head("style.css")["ContentEncoding"] == "gzip"
    assert "ContentEncoding" not in head("notes.txt")
    body = s3_server.client().get_object(Bucket=bucket, Key="style.css")["Body"].read()
    assert gzip.decompress(body) == css


def test_images_are_zipped_where_the_project_says_so(make_s3, head, s3_server, bucket):
    storage = make_s3(thumbs=ONE, gzip=True, gzip_content_types=("image/bmp", "image/jpeg"))
    data = draw(format="BMP")
    storage.save("cat.jpg", ContentFile(data))
    assert head("cat.jpg")["ContentEncoding"] == head("cat.jpg.thumbs/small.jpg")["ContentEncoding"] == "gzip"
    body = s3_server.client().get_object(Bucket=bucket, Key="cat.jpg")["Body"].read()
    assert gzip.decompress(body) == data
    storage.delete_thumbs("cat.jpg")
    storage.generate_thumbs("cat.jpg")
    body = s3_server.client().get_object(Bucket=bucket, Key="cat.jpg.thumbs/small.jpg")["Body"].read()
    assert Image.open(io.BytesIO(gzip.decompress(body))).size == (30, 20)


def test_an_encoding_of_the_projects_own_is_left_alone(make_s3, head):
    storage = make_s3(
        thumbs=ONE, gzip=True, gzip_content_types=("image/jpeg",), object_parameters={"ContentEncoding": "identity"}
    )
    data = draw()
    storage.save("cat.jpg", ContentFile(data))
    assert head("cat.jpg")["ContentEncoding"] == "identity"
    assert head("cat.jpg")["ContentLength"] == len(data)


def test_a_plain_file_above_the_multipart_threshold(make_s3, requests_sent):
    storage = make_s3(thumbs=ONE, transfer_config=TransferConfig(multipart_threshold=100_000))
    data = os.urandom(200_000)
    assert storage.save("big.bin", ContentFile(data)) == "big.bin"
    assert any("uploads" in path for method, path in requests_sent if method == "POST")
    second = storage.save("big.bin", ContentFile(data[::-1]))
    assert re.fullmatch(r"big_\w{7}\.bin", second)
    assert [content_of(storage, name) for name in ("big.bin", second)] == [data, data[::-1]]
    small = storage.save("big.bin", ContentFile(b"small"))
    assert len({small, second, "big.bin"}) == 3
    assert stored(storage) == sorted(["big.bin", second, small])


@pytest.mark.parametrize(
    ("options", "threads"),
    [({"use_threads": False}, 1), ({"max_concurrency": 1}, 1), ({"max_concurrency": 3}, 3)],
    ids=str,
)
def test_the_projects_transfer_config_says_how_many_parts_go_up_at_once(make_s3, options, threads):
    part = 5 * 1024**2
    config = TransferConfig(multipart_threshold=part, multipart_chunksize=part, **options)
    storage = make_s3(transfer_config=config)
    idents = []
    together = threading.Barrier(threads)

    def sent(**_):
        idents.append(threading.get_ident())
        together.wait(20)  # which no fewer threads would ever pass

    storage.client.meta.events.register("before-parameter-build.s3.UploadPart", sent)
    try:
        storage.save("big.bin", ContentFile(bytes(3 * part)))
    finally:
        storage.client.meta.events.unregister("before-parameter-build.s3.UploadPart", sent)
    assert len(idents) == 3
    assert len(set(idents)) == threads


def test_an_image_above_the_multipart_threshold_is_claimed_all_the_same(make_s3):
    storage = make_s3(thumbs=ONE, transfer_config=TransferConfig(multipart_threshold=10_000))
    data = noise()
    names = [storage.save("cat.jpg", ContentFile(data)) for _ in range(2)]
    assert len(set(names)) == 2
    for name in names:
        assert content_of(storage, name) == data
        assert image_in(storage, f"{name}.thumbs/small.jpg").size == (30, 20)


# Requests


def test_a_save_is_one_put_for_each_thing_stored(make_s3, requests_sent):
    make_s3(thumbs=THUMBS).save("cat.jpg", upload())
    assert by_method(requests_sent) == ["PUT"] * 4
    assert sorted(path.split("/", 1)[1].split("?")[0] for _, path in requests_sent) == KEYS


def test_a_save_is_one_put_for_each_format_and_density(make_s3, requests_sent):
    formats = ("AVIF", "WEBP", "JPEG")
    thumbs = {"large": {"size": (60, 60), "format": formats, "densities": (1, 2)}}
    make_s3(thumbs=thumbs).save("cat.jpg", upload())
    assert by_method(requests_sent) == ["PUT"] * 7


def test_a_save_under_a_taken_name_costs_one_put_more(make_s3, requests_sent):
    storage = make_s3(thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    requests_sent.clear()
    storage.save("cat.jpg", upload())
    assert by_method(requests_sent) == ["PUT"] * 5


def test_the_original_goes_up_before_any_thumb_does(make_s3, requests_sent):
    make_s3(thumbs=THUMBS).save("cat.jpg", upload())
    assert requests_sent[0][1].endswith("/cat.jpg")


def test_a_claim_is_a_conditional_write(make_s3, exchanges):
    make_s3(thumbs=ONE).save("cat.jpg", upload())
    conditions = {
        urlsplit(request.url).path.split("/", 2)[2]: request.headers.get("If-None-Match") for request in exchanges
    }
    assert conditions.pop("cat.jpg") in ("*", b"*")
    assert conditions == {"cat.jpg.thumbs/small.jpg": None}


def test_a_save_of_a_plain_file_is_one_put(make_s3, requests_sent):
    make_s3(thumbs=THUMBS).save("notes.txt", ContentFile(b"text"))
    assert by_method(requests_sent) == ["PUT"]


def test_unique_names_are_never_asked_for(make_s3, requests_sent):
    storage = make_s3(thumbs=ONE, unique_names=True)
    names = [storage.save("photos/cat.jpg", upload(), max_length=25) for _ in range(3)]
    assert by_method(requests_sent) == ["PUT"] * 6
    assert len(set(names)) == 3
    for name in names:
        assert re.fullmatch(r"photos/cat_\w{7}\.jpg", name)
        assert storage.exists(f"{name}.thumbs/small.jpg")


def test_overwriting_replaces_the_original_and_its_thumbs(make_s3, requests_sent):
    storage = make_s3(thumbs=ONE, file_overwrite=True)
    storage.save("cat.jpg", upload(color="red"))
    assert storage.save("cat.jpg", upload(color="blue")) == "cat.jpg"
    # Each of them looks for thumbs of an original that it may have replaced.
    assert by_method(requests_sent) == ["GET", "GET"] + ["PUT"] * 4
    assert stored(storage) == ["cat.jpg", "cat.jpg.thumbs/small.jpg"]
    for key in stored(storage):
        assert image_in(storage, key).getpixel((5, 5))[2] > 200


def test_nothing_is_overwritten_unless_the_project_says_so(make_s3, settings):
    assert make_s3().file_overwrite is False
    settings.AWS_S3_FILE_OVERWRITE = True
    assert make_s3().file_overwrite is True
    assert make_s3(file_overwrite=False).file_overwrite is False


def test_without_conditional_writes_s3_is_asked_first(make_s3, requests_sent, exchanges):
    storage = make_s3(thumbs=ONE, conditional_writes=False)
    storage.save("cat.jpg", upload())
    assert by_method(requests_sent) == ["HEAD", "PUT", "PUT"]
    assert not any(request.headers.get("If-None-Match") for request in exchanges)
    second = storage.save("cat.jpg", upload())
    assert re.fullmatch(r"cat_\w{7}\.jpg", second)
    assert len(stored(storage)) == 4


@pytest.mark.parametrize(
    ("options", "conditional"),
    [({"endpoint_url": None}, True), ({}, False), ({"conditional_writes": True}, True)],
)
def test_names_are_claimed_by_conditional_writes_on_aws(s3_options, options, conditional):
    given = {**s3_options, "conditional_writes": None, **options}
    storage = S3ThumbnailStorage(**given)
    assert storage.claims_names is conditional


def test_a_delete_is_one_listing_and_one_batch(make_s3, requests_sent):
    storage = make_s3(thumbs=THUMBS)
    storage.save("photos/cat.jpg", upload())
    requests_sent.clear()
    storage.delete("photos/cat.jpg")
    assert [method for method, _ in requests_sent] == ["GET", "POST"]
    query = parse_qs(urlsplit(requests_sent[0][1]).query)
    assert query["list-type"] == ["2"]
    assert query["prefix"] == ["photos/cat.jpg.thumbs/"]
    assert "delete" in requests_sent[1][1]
    assert stored(storage) == []


def test_a_delete_with_the_naming_of_athumb_is_one_batch(make_s3, requests_sent):
    storage = make_s3(thumbs=THUMBS, naming="athumb")
    storage.save("cat.jpg", upload())
    requests_sent.clear()
    storage.delete("cat.jpg")
    assert by_method(requests_sent) == ["POST"]
    assert stored(storage) == []


def test_without_the_right_to_list_the_known_thumbs_are_deleted(make_s3, no_list_identity, caplog):
    make_s3(thumbs={**THUMBS, "old": {"size": (9, 9)}}).save("cat.jpg", upload())
    storage = make_s3(thumbs=THUMBS, **no_list_identity)
    storage.delete("cat.jpg")
    assert stored(make_s3()) == ["cat.jpg.thumbs/old.jpg"]
    [record] = [record for record in caplog.records if record.name == "athumb_storage"]
    assert record.levelname == "WARNING"
    assert "cat.jpg.thumbs/" in record.getMessage()


def test_a_save_needs_no_right_to_list(make_s3, no_list_identity):
    storage = make_s3(thumbs=THUMBS, **no_list_identity)
    storage.save("cat.jpg", upload())
    assert re.fullmatch(r"cat_\w{7}\.jpg", storage.save("cat.jpg", upload()))


def test_what_fails_at_deleting_is_told(make_s3, no_list_identity):
    storage = make_s3(thumbs=THUMBS, secret_key="not the secret")
    make_s3(thumbs=THUMBS).save("cat.jpg", upload())
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        storage.delete_thumbs("cat.jpg")
    assert stored(make_s3()) == KEYS


def test_more_thumbs_than_a_batch_takes_are_all_deleted(make_s3, monkeypatch, requests_sent):
    monkeypatch.setattr("athumb_storage.storages.s3.storage._BATCH", 2)
    storage = make_s3(thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    requests_sent.clear()
    storage.delete("cat.jpg")
    assert [method for method, _ in requests_sent] == ["GET", "POST", "POST"]
    assert stored(storage) == []


def test_generating_again_reads_the_original_once(make_s3, requests_sent):
    storage = make_s3(thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    requests_sent.clear()
    storage.generate_thumbs("cat.jpg")
    assert by_method(requests_sent) == ["GET", "PUT", "PUT", "PUT"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"querystring_auth": False},
        {"custom_domain": "cdn.example.com"},
        {"custom_domain": "cdn.example.com", "querystring_auth": False},
    ],
)
def test_a_url_costs_no_request(make_s3, requests_sent, options):
    storage = make_s3(thumbs=THUMBS, **options)
    for _ in range(2):
        for thumb in THUMBS:
            assert storage.url_for_thumb("photos/cat.jpg", thumb)
    assert len(requests_sent) == 0


# URLs

ODD_NAMES = [
    "a b+c&d=e.jpg",
    "50% off?.jpg",
    "#1;2,3:4@5!$'()*~.jpg",
    "Füße/写真 🐈.jpg",
    "%41%2F.jpg",
    'quotes"and<tags>.jpg',
    "[brackets]{braces}|^`.jpg",
    "no extension",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_presigned_url_can_be_fetched(make_s3, name):
    storage = make_s3(thumbs=ONE)
    name = storage.save(name, upload())
    url = storage.url_for_thumb(name, "small")
    status, headers, body = fetched(url)
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    assert body == content_of(storage, storage.thumb_key(name, "small"))
    assert "Signature" in url
    with pytest.raises(urllib.error.HTTPError, match="403") as refusal:
        fetched(url.partition("?")[0])
    refusal.value.close()  # it holds the answer


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_unsigned_url_can_be_fetched(make_s3, s3_server, name):
    bucket = f"public-{os.urandom(6).hex()}"
    s3_server.create_bucket(bucket, public=True)
    storage = make_s3(PublicS3ThumbnailStorage, bucket_name=bucket, thumbs=ONE)
    name = storage.save(name, upload())
    url = storage.url_for_thumb(name, "small")
    assert "?" not in url
    assert fetched(url)[2] == content_of(storage, storage.thumb_key(name, "small"))
    domain = make_s3(
        bucket_name=bucket,
        thumbs=ONE,
        custom_domain=f"{urlsplit(s3_server.endpoint_url).netloc}/{bucket}",
        url_protocol="http:",
        querystring_auth=False,
    )
    assert fetched(domain.url_for_thumb(name, "small"))[2] == fetched(url)[2]


@pytest.mark.parametrize("options", [{}, {"expire": 7}])
@pytest.mark.parametrize("auth", [True, False])
@pytest.mark.parametrize("addressing_style", ["path", "virtual", None])
def test_the_url_of_a_thumb_is_that_of_its_key(make_s3, auth, addressing_style, options):
    storage = make_s3(
        thumbs=ONE, querystring_auth=auth, addressing_style=addressing_style, endpoint_url=None, region_name="eu-west-1"
    )
    for name in ["photos/cat.jpg", *ODD_NAMES]:
        thumb = urlsplit(storage.url_for_thumb(name, "small", **options))
        key = urlsplit(storage.url(storage.thumb_key(name, "small"), **options))
        assert thumb[:3] == key[:3]
        assert set(parse_qs(thumb.query)) == set(parse_qs(key.query))
        if auth and options:
            assert "7" in (parse_qs(thumb.query).get("X-Amz-Expires") or ["7"])


def test_a_presigned_url_lasts_as_long_as_it_is_told(make_s3):
    storage = make_s3(thumbs=ONE)
    storage.save("cat.jpg", upload())
    url = storage.url_for_thumb("cat.jpg", "small", expire=4)
    assert fetched(url)[0] == 200
    time.sleep(5.1)  # a signature is dated to the whole second
    with pytest.raises(urllib.error.HTTPError, match="403") as refusal:
        fetched(url)
    refusal.value.close()  # it holds the answer


def test_force_ssl(make_s3):
    for options in ({}, {"custom_domain": "cdn.example.com", "url_protocol": "http:"}):
        storage = make_s3(thumbs=ONE, **options)
        assert storage.url_for_thumb("cat.jpg", "small").startswith("http://")
        assert storage.url_for_thumb("cat.jpg", "small", force_ssl=True).startswith("https://")
    storage = make_s3(thumbs=ONE, custom_domain="cdn.example.com")
    assert storage.url_for_thumb("cat.jpg", "small") == "https://cdn.example.com/cat.jpg.thumbs/small.jpg"


def test_the_cache_buster_is_on_unsigned_urls_of_thumbs_only(make_s3, settings):
    unsigned = make_s3(thumbs=ONE, querystring_auth=False)
    domain = make_s3(thumbs=ONE, custom_domain="cdn.example.com")
    signed = make_s3(thumbs=ONE)
    assert "cbust" not in unsigned.url_for_thumb("cat.jpg", "small")
    settings.MEDIA_CACHE_BUSTER = "4 2&x"
    for storage in (unsigned, domain):
        url = storage.url_for_thumb("cat.jpg", "small")
        assert parse_qs(urlsplit(url).query) == {"cbust": ["4 2&x"]}
        assert "cbust" not in storage.url("cat.jpg")
        assert "cbust" not in storage.url_for_thumb("cat.jpg", "small", cache_bust=False)
    signed.save("cat.jpg", upload())
    assert "cbust" not in signed.url_for_thumb("cat.jpg", "small")
    assert fetched(signed.url_for_thumb("cat.jpg", "small"))[0] == 200
    assert "?a=b&cbust=" in domain.url_for_thumb("cat.jpg", "small", parameters={"a": "b"})


@pytest.fixture(scope="module")
def cloudfront():
    """A key, as options of a storage, and what checks a URL that is signed with it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()

    def check(url):
        signed, query = re.split(r"[?&](?=Expires=)", url)
        parameters = dict(parse_qsl(query))
        policy = {
            "Statement": [
                {"Resource": signed, "Condition": {"DateLessThan": {"AWS:EpochTime": int(parameters["Expires"])}}}
            ]
        }
        signature = base64.b64decode(parameters["Signature"].translate(str.maketrans("-_~", "+=/")))
        message = json.dumps(policy, separators=(",", ":")).encode()
        key.public_key().verify(signature, message, padding.PKCS1v15(), hashes.SHA1())  # raises if it is not right
        return signed, int(parameters["Expires"])

    options = {"custom_domain": "cdn.example.com", "cloudfront_key_id": "KEYID", "cloudfront_key": pem}
    return options, check


@pytest.mark.parametrize("force_ssl", [True, False])
@pytest.mark.parametrize("url_protocol", ["http:", "https:"])
def test_each_thumbs_own_url_is_signed_for_cloudfront(make_s3, cloudfront, settings, url_protocol, force_ssl):
    options, check = cloudfront
    settings.MEDIA_CACHE_BUSTER = "42"
    storage = make_s3(thumbs=THUMBS, url_protocol=url_protocol, **options)
    for bound in (storage, storage.with_thumbs({})):
        for thumb, key in zip(THUMBS, KEYS[1:], strict=True):
            signed, expires = check(bound.url_for_thumb("cat.jpg", thumb, force_ssl=force_ssl))
            assert signed == f"{'https:' if force_ssl else url_protocol}//cdn.example.com/{key}"
            assert 3000 < expires - time.time() < 3700
    assert storage.url_protocol == url_protocol


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_signed_for_cloudfront(make_s3, cloudfront, name):
    options, check = cloudfront
    signed, _ = check(make_s3(thumbs=ONE, **options).url_for_thumb(name, "small"))
    assert unquote(urlsplit(signed).path) == f"/{name}.thumbs/small.jpg"


@pytest.mark.parametrize("filename", ["report.jpg", "Füße 写真.jpg", 'a "quoted" name.jpg', "a;b,c.jpg", None])
def test_url_as_attachment_saves_under_that_name(make_s3, filename):
    storage = make_s3(thumbs=ONE)
    storage.save("odd näme.jpg", upload())
    _, headers, body = fetched(storage.url_as_attachment("odd näme.jpg", filename))
    disposition = headers["Content-Disposition"]
    assert disposition.startswith("attachment")
    assert ("filename" in disposition) is (filename is not None)
    if filename:
        stated = unquote(disposition.partition("''")[2]) or disposition.partition('filename="')[2][:-1].replace(
            "\\", ""
        )
        assert stated == filename
    assert body == content_of(storage, "odd näme.jpg")


def test_url_as_attachment_is_signed_even_where_urls_are_not(make_s3):
    storage = make_s3(PublicS3ThumbnailStorage, thumbs=ONE, custom_domain="cdn.example.com")
    storage.save("cat.jpg", upload())
    assert fetched(storage.url_as_attachment("cat.jpg", filename="x.jpg"))[1]["Content-Disposition"] == (
        'attachment; filename="x.jpg"'
    )


# Names and uploads at the same moment


def test_max_length_is_kept_when_a_name_is_taken(make_s3):
    storage = make_s3(thumbs=ONE)
    names = [storage.save("photos/" + "c" * 20 + ".jpg", upload(), max_length=31) for _ in range(3)]
    assert len(set(names)) == 3
    assert all(len(name) <= 31 for name in names)
    assert stored(storage) == sorted([*names, *(f"{name}.thumbs/small.jpg" for name in names)])


@pytest.mark.parametrize("options", [{}, {"unique_names": True}])
def test_uploads_of_one_name_at_the_same_moment_each_get_their_own(make_s3, options):
    storage = make_s3(thumbs=THUMBS, **options)
    barrier = threading.Barrier(8)

    def save(number):
        barrier.wait()
        return number, storage.save("cat.png", upload(format="PNG", color=(number * 30, 0, 0)))

    with ThreadPoolExecutor(8) as pool:
        names = dict(pool.map(save, range(8)))
    assert len(set(names.values())) == 8
    assert len(stored(storage)) == 8 * 4
    for number, name in names.items():
        for key in (name, storage.thumb_key(name, "small"), storage.thumb_key(name, "square")):
            assert image_in(storage, key).convert("RGB").getpixel((5, 5)) == (number * 30, 0, 0)


def test_many_uploads_at_once_do_not_wait_for_each_other_for_ever(make_s3):
    storage = make_s3(thumbs={f"t{number}": {"size": (10, 10)} for number in range(8)})
    with ThreadPoolExecutor(POOL_SIZE * 2) as pool:
        names = list(pool.map(lambda n: storage.save(f"{n}.jpg", upload(size=(40, 40))), range(POOL_SIZE * 2)))
    assert len(names) == len(set(names)) == POOL_SIZE * 2
    assert len(stored(storage)) == POOL_SIZE * 2 * 9


# One client


def test_one_client_for_storages_of_the_same_settings(make_s3):
    storage = make_s3(thumbs=ONE)
    assert make_s3(thumbs=THUMBS, location="elsewhere").client is storage.client
    assert storage.with_thumbs(THUMBS).client is storage.client
    assert make_s3(bucket_name="another").client is storage.client
    with ThreadPoolExecutor(4) as pool:
        assert set(map(id, pool.map(lambda _: storage.client, range(8)))) == {id(storage.client)}


@pytest.mark.parametrize(
    "options",
    [
        {"access_key": "another"},
        {"region_name": "eu-west-1"},
        {"endpoint_url": "http://127.0.0.1:1"},
        {"client_config": Config(read_timeout=7)},
        {"signature_version": "s3"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_another_client_for_other_settings(make_s3, options):
    assert make_s3(**options).client is not make_s3().client


def test_the_clients_settings_are_the_projects(make_s3):
    config = make_s3(
        client_config=Config(read_timeout=7, s3={"addressing_style": "virtual"}), signature_version="s3v4"
    ).client.meta.config
    assert config.read_timeout == 7
    assert config.s3["addressing_style"] == "virtual"
    assert config.signature_version == "s3v4"
    config = make_s3(client_config=Config(read_timeout=7), addressing_style="path").client.meta.config
    assert config.s3["addressing_style"] == "path"
    assert config.request_checksum_calculation == "when_required"
    assert config.max_pool_connections == POOL_SIZE


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_saves_too(make_s3):
    storage = make_s3(thumbs=THUMBS)
    storage.save("parent.jpg", upload())
    client = storage.client
    child = os.fork()
    if child == 0:
        done = 1
        try:
            if storage.client is not client:
                storage.save("child.jpg", upload())
                done = 0
        finally:
            os._exit(done)
    storage.save("parent2.jpg", upload())
    deadline = time.monotonic() + 60
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, 9)
            os.waitpid(child, 0)
            pytest.fail("the child hangs")
        time.sleep(0.05)
    assert len(stored(storage)) == 12


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda storage: pickle.loads(pickle.dumps(storage))],
    ids=["copy", "deep", "pickle"],
)
@pytest.mark.parametrize("bound", [True, False])
def test_a_copy_still_works(make_s3, again, bound, settings, s3_options):
    settings.AWS_S3_ACCESS_KEY_ID = s3_options["access_key"]  # which no pickle holds
    settings.AWS_S3_SECRET_ACCESS_KEY = s3_options["secret_key"]
    storage = make_s3(thumbs=ONE)
    if bound:
        storage = storage.with_thumbs({"square": {"size": (20, 20), "crop": True}})
    storage.save("first.jpg", upload())
    storage.url_for_thumb("first.jpg", "small")
    other = again(storage)
    assert other is not storage
    assert other.thumbs == storage.thumbs
    other.save("second.jpg", upload())
    assert len(stored(storage)) == (6 if bound else 4)
    assert fetched(other.url_for_thumb("second.jpg", "small"))[0] == 200


# Settings


@pytest.fixture
def aws_settings(settings, s3_options):
    settings.AWS_STORAGE_BUCKET_NAME = s3_options["bucket_name"]
    settings.AWS_S3_ENDPOINT_URL = s3_options["endpoint_url"]
    settings.AWS_S3_ACCESS_KEY_ID = s3_options["access_key"]
    settings.AWS_S3_SECRET_ACCESS_KEY = s3_options["secret_key"]
    settings.AWS_S3_REGION_NAME = s3_options["region_name"]
    return settings


def test_the_settings_of_django_storages_are_read(aws_settings, requests_sent):
    aws_settings.AWS_LOCATION = "media"
    aws_settings.AWS_S3_OBJECT_PARAMETERS = {"CacheControl": "max-age=5"}
    storage = S3ThumbnailStorage(thumbs=ONE)
    storage.save("cat.jpg", upload())
    assert {path.split("/", 1)[1] for _, path in requests_sent if _ == "PUT"} == {
        "media/cat.jpg",
        "media/cat.jpg.thumbs/small.jpg",
    }


def test_as_the_default_storage(aws_settings, s3_options):
    from django.core.files.storage import default_storage

    aws_settings.STORAGES = {
        **aws_settings.STORAGES,
        "default": {"BACKEND": "athumb_storage.storages.S3ThumbnailStorage", "OPTIONS": {"thumbs": ONE}},
        "other": {"BACKEND": "athumb_storage.storages.PublicS3ThumbnailStorage", "OPTIONS": {"location": "other"}},
    }
    default_storage.save("cat.jpg", upload())
    storages["other"].save("cat.jpg", upload())
    assert stored(default_storage) == ["cat.jpg", "cat.jpg.thumbs/small.jpg", "other/cat.jpg"]


AS_DEFAULT_FILE_STORAGE = """
import warnings
import django
from django.conf import settings

warnings.filterwarnings("ignore", message=".*DEFAULT_FILE_STORAGE")
settings.configure(
    DEFAULT_FILE_STORAGE="athumb_storage.storages.S3ThumbnailStorage",
    ATHUMB_THUMBS={"small": {"size": (20, 20)}},
    AWS_STORAGE_BUCKET_NAME=%(bucket_name)r,
    AWS_S3_ENDPOINT_URL=%(endpoint_url)r,
    AWS_S3_ACCESS_KEY_ID=%(access_key)r,
    AWS_S3_SECRET_ACCESS_KEY=%(secret_key)r,
)
django.setup()

from django.core.files.storage import default_storage
from tests.conftest import upload

default_storage.save("cat.jpg", upload())
"""


@pytest.mark.skipif(django.VERSION >= (5, 1), reason="Django 5.1 removed the setting DEFAULT_FILE_STORAGE")
def test_as_default_file_storage(make_s3, s3_options):
    """In a process of its own, because the tests' settings have STORAGES, which excludes the old name."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", AS_DEFAULT_FILE_STORAGE % s3_options], env=environment, check=True)
    assert stored(make_s3()) == ["cat.jpg", "cat.jpg.thumbs/small.jpg"]


def test_an_upload_that_failed_says_what_and_why(make_s3):
    storage = make_s3(thumbs=ONE, secret_key="not the secret")
    with pytest.raises(UploadFailed) as caught:
        storage.save("photos/cat.jpg", upload())
    assert caught.value.name == "photos/cat.jpg"
    assert "SignatureDoesNotMatch" in str(caught.value)
    assert "not the secret" not in str(caught.value)


@pytest.mark.parametrize("claim", [{"conditional_writes": True}, {"conditional_writes": False}, {"unique_names": True}])
def test_every_request_has_the_object_parameters_that_it_takes(make_s3, exchanges, claim):
    parameters = {"RequestPayer": "requester", "ExpectedBucketOwner": "123456789012", "CacheControl": "max-age=60"}
    storage = make_s3(thumbs=ONE, object_parameters=parameters, **claim)
    storage.transfer_config.multipart_threshold = 5 << 20
    names = [storage.save("cat.jpg", upload()), storage.save("large.bin", ContentFile(bytes(6 << 20)))]
    storage.generate_thumbs(names[0])
    storage.delete_thumbs(names[0])
    storage.exists(names[0])
    for name in names:
        storage.delete(name)
    assert {"PUT", "HEAD", "GET", "POST"} <= {request.method for request in exchanges}
    for request in exchanges:
        what = f"{request.method} {request.url}"
        assert request.headers["x-amz-request-payer"] == b"requester", what
        assert request.headers["x-amz-expected-bucket-owner"] == b"123456789012", what


# Without a bucket

USES = {
    "save": lambda storage: storage.save("cat.jpg", upload()),
    "open": lambda storage: storage.open("cat.jpg"),
    "exists": lambda storage: storage.exists("cat.jpg"),
    "size": lambda storage: storage.size("cat.jpg"),
    "listdir": lambda storage: storage.listdir(""),
    "delete": lambda storage: storage.delete("cat.jpg"),
    "delete_thumbs": lambda storage: storage.delete_thumbs("cat.jpg"),
    "generate_thumbs": lambda storage: storage.generate_thumbs("cat.jpg"),
    "url": lambda storage: storage.url("cat.jpg"),
    "url_for_thumb": lambda storage: storage.url_for_thumb("cat.jpg", "small"),
    "url_as_attachment": lambda storage: storage.url_as_attachment("cat.jpg"),
    "honours_conditional_writes": lambda storage: storage.honours_conditional_writes(),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("options", [{}, {"signed_url_window": 60}, {"querystring_auth": False}], ids=str)
def test_without_a_bucket_the_first_use_says_what_to_set(make_s3, requests_sent, use, options):
    storage = make_s3(bucket_name=None, thumbs=ONE, **options)
    with pytest.raises(ImproperlyConfigured) as caught:
        use(storage)
    assert str(caught.value) == (
        "S3ThumbnailStorage has no bucket: set the option bucket_name or the setting AWS_STORAGE_BUCKET_NAME."
    )
    assert requests_sent == []


# What is packed, and what is written by open()


@pytest.mark.parametrize("name", ["site.css", "app.js", "logo.svg"])
def test_text_is_packed_by_its_name_and_stays_an_attachment(make_s3, head, name):
    storage = make_s3(thumbs=ONE, gzip=True)
    text = b"the same again and again " * 100
    storage.save(name, ContentFile(text))
    said = head(name)
    assert said["ContentEncoding"] == "gzip"
    assert said["ContentLength"] < len(text)
    assert said["ContentDisposition"] == "attachment"
    body = storage.client.get_object(Bucket=storage.bucket_name, Key=name)["Body"]
    assert gzip.decompress(body.read()) == text


def test_an_image_with_the_name_of_a_text_is_not_packed(make_s3, head):
    storage = make_s3(thumbs=ONE, gzip=True)
    assert "ContentEncoding" not in head(storage.save("photo.css", upload()))


@pytest.mark.parametrize(
    ("name", "content_type", "is_attachment"),
    [
        ("cat.jpg", "image/jpeg", False),
        ("paper.pdf", "application/pdf", False),
        ("page.html", "application/octet-stream", True),
        ("logo.svg", "application/octet-stream", True),
        ("feed.xml", "application/octet-stream", True),
        ("notes", "application/octet-stream", True),
    ],
)
def test_what_open_writes_runs_in_no_browser(make_s3, head, name, content_type, is_attachment):
    storage = make_s3(thumbs=ONE)
    with storage.open(name, "wb") as file:
        file.write(b"<script>alert(1)</script>")
    said = head(name)
    assert (said.get("ContentDisposition") == "attachment") == is_attachment
    if not is_attachment:
        assert said["ContentType"] == content_type


def test_the_project_may_believe_names_that_open_writes_to(make_s3, head):
    storage = make_s3(thumbs=ONE, content_types="name")
    with storage.open("page.html", "wb") as file:
        file.write(b"<h1>Hello</h1>")
    assert head("page.html")["ContentType"] == "text/html"

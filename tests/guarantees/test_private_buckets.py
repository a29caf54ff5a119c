"""A private bucket: no original and no thumb is readable without a signature that still holds."""

from __future__ import annotations

import time
import urllib.error
import urllib.request

import pytest
from django.core.files.base import ContentFile

from athumb_storage.storages import PublicS3ThumbnailStorage
from tests.conftest import draw

ONE = {"small": {"size": (30, 30)}, "web": {"size": (30, 30), "format": "WEBP"}}
MODES = pytest.mark.parametrize("options", [{}, {"signed_url_window": 100}], ids=["signed anew", "in windows"])


def status_of(url):
    try:
        with urllib.request.urlopen(url) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def all_urls(storage, name):
    return [storage.url(name), *(storage.url_for_thumb(name, thumb) for thumb in storage.thumbs)]


@MODES
def test_nothing_is_readable_without_a_signature(make_s3, options):
    storage = make_s3(thumbs=ONE, querystring_auth=True, **options)
    name = storage.save("photos/cat.jpg", ContentFile(draw()))
    urls = all_urls(storage, name)
    assert [status_of(url) for url in urls] == [200] * 3
    assert [status_of(url.partition("?")[0]) for url in urls] == [403] * 3
    unsigned = make_s3(PublicS3ThumbnailStorage, thumbs=ONE)
    assert [status_of(url) for url in all_urls(unsigned, name)] == [403] * 3


@MODES
def test_a_signature_is_for_one_thing(make_s3, options):
    storage = make_s3(thumbs=ONE, **options)
    name = storage.save("cat.jpg", ContentFile(draw()))
    original, *thumbs = all_urls(storage, name)
    signature = original.partition("?")[2]
    assert [status_of(f"{url.partition('?')[0]}?{signature}") for url in thumbs] == [403] * 2
    small, web = thumbs
    assert status_of(f"{original.partition('?')[0]}?{small.partition('?')[2]}") == 403
    assert status_of(f"{web[:-1]}{'0' if web[-1] != '0' else '1'}") == 403


def test_a_signature_that_is_over_is_none(make_s3):
    storage = make_s3(thumbs=ONE, querystring_expire=1)
    name = storage.save("cat.jpg", ContentFile(draw()))
    urls = all_urls(storage, name)
    time.sleep(2.1)  # a signature is dated to the whole second
    assert [status_of(url) for url in urls] == [403] * 3


def test_another_key_signs_nothing(make_s3):
    name = make_s3(thumbs=ONE).save("cat.jpg", ContentFile(draw()))
    forged = make_s3(thumbs=ONE, secret_key="guessed")
    assert [status_of(url) for url in all_urls(forged, name)] == [403] * 3

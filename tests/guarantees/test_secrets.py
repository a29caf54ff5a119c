"""Pickles, migrations, errors and logs: a storage goes everywhere, its secrets go nowhere."""

from __future__ import annotations

import base64
import copy
import logging
import os
import pickle
import subprocess
import sys
import traceback

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.db import models
from django.db.migrations.writer import MigrationWriter
from django.test.utils import isolate_apps

from athumb_storage import AthumbError, UploadFailed
from athumb_storage.fields import FileWithThumbsField, ImageWithThumbsField
from athumb_storage.storages import PublicS3ThumbnailStorage, S3ThumbnailStorage
from tests.conftest import stored, upload

ONE = {"small": {"size": (30, 30)}}
PROXY_PASSWORD = "the-password-of-the-proxy"
CUSTOMER_KEY = "0123456789-customer-key-98765432"
THUMB_CUSTOMER_KEY = "0123456789-thumbs-key-9876543210"


def private_key():
    key = rsa.generate_private_key(65537, 2048)
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain).decode()


@pytest.fixture(scope="module")
def cloudfront_keys():
    return [private_key(), private_key()]


@pytest.fixture
def secrets(cloudfront_keys):
    """Every option that carries a secret, with one."""
    return {
        "access_key": "SECRET-access-key",
        "secret_key": "SECRET-secret-key",
        "security_token": "SECRET-security-token",
        "cloudfront_key": cloudfront_keys[0],
        "cloudfront_key_id": "SECRET-cloudfront-key-id",
        "proxies": {"https": f"http://user:{PROXY_PASSWORD}@proxy.example.com"},
        "object_parameters": {"CacheControl": "max-age=7", "SSECustomerKey": CUSTOMER_KEY},
        "thumb_object_parameters": {"CacheControl": "max-age=8", "SSECustomerKey": THUMB_CUSTOMER_KEY},
    }


WORDS = ["SECRET", "PRIVATE KEY", PROXY_PASSWORD, CUSTOMER_KEY, THUMB_CUSTOMER_KEY]


def told(text, more=()):
    """The secrets that can be read in some text, also in base 64."""
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    coded = [base64.b64encode(word.encode()).decode().rstrip("=")[:-1] for word in WORDS]
    return [word for word in [*WORDS, *coded, *more] if word in text]


def storages_with(make_s3, secrets):
    plain = make_s3(thumbs=ONE, **secrets)
    with_config = {name: value for name, value in secrets.items() if name != "proxies"}
    config = Config(proxies=secrets["proxies"], user_agent="athumb")
    return {
        "unbound": plain,
        "bound": plain.with_thumbs({"large": {"size": (90, 90)}}),
        "public": make_s3(PublicS3ThumbnailStorage, **secrets),
        "client_config": make_s3(client_config=config, **with_config),
    }


def test_the_words_are_found_where_they_are(make_s3, secrets):
    assert set(told(repr(secrets))) == set(WORDS)
    assert told(base64.b64encode(CUSTOMER_KEY.encode()))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_holds_no_secret(make_s3, secrets, protocol):
    for kind, storage in storages_with(make_s3, secrets).items():
        storage.url_for_thumb("cat.jpg", "small") if "small" in storage.thumbs else storage.url("cat.jpg")
        assert told(pickle.dumps(storage, protocol)) == [], kind


def test_a_pickle_of_an_unpickled_or_copied_storage_holds_no_secret(make_s3, secrets):
    for kind, storage in storages_with(make_s3, secrets).items():
        for again in (pickle.loads(pickle.dumps(storage)), copy.copy(storage), copy.deepcopy(storage)):
            assert told(pickle.dumps(again)) == [], kind


SECRET_OPTIONS = ["access_key", "secret_key", "security_token", "cloudfront_key", "cloudfront_key_id", "proxies"]
COPIED = pytest.mark.parametrize("again", [copy.copy, copy.deepcopy], ids=["copy", "deep"])


@COPIED
def test_a_copy_has_the_secrets_too(make_s3, secrets, again):
    for storage in storages_with(make_s3, secrets).values():
        other = again(storage)
        assert other is not storage
        assert type(other) is type(storage)
        for name in [*SECRET_OPTIONS, "object_parameters", "thumb_object_parameters"]:
            assert getattr(other, name) == getattr(storage, name)
        assert other.client_config.proxies == storage.client_config.proxies
        assert other.client is storage.client
        assert other.thumbs == storage.thumbs


@pytest.mark.parametrize("bound", [True, False])
def test_an_unpickled_storage_works_with_the_secrets_of_the_settings(make_s3, s3_options, settings, bound):
    storage = make_s3(thumbs=ONE, location="media", max_pixels=10_000)
    if bound:
        storage = storage.with_thumbs({"large": {"size": (90, 90)}}, images_only=True, on_error="skip")
    settings.AWS_S3_ACCESS_KEY_ID = s3_options["access_key"]
    settings.AWS_S3_SECRET_ACCESS_KEY = s3_options["secret_key"]
    other = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(storage))))
    assert other.on_error == storage.on_error
    assert other.options.limits == storage.options.limits
    assert stored(storage) == []
    name = other.save("cat.jpg", upload(size=(60, 40)))
    assert stored(storage) == sorted([name, *(storage.thumb_key(name, thumb) for thumb in storage.thumbs)])


DIFFERENT = {
    "access_key": ["one", "another"],
    "secret_key": ["one", "another"],
    "security_token": ["one", "another"],
    "proxies": [{"https": "http://u:one@proxy"}, {"https": "http://u:another@proxy"}],
    "object_parameters": [{"SSECustomerKey": "one"}, {"SSECustomerKey": "another"}],
    "thumb_object_parameters": [{"SSECustomerKey": "one"}, {"SSECustomerKey": "another"}],
}


@COPIED
@pytest.mark.parametrize("option", DIFFERENT)
def test_storages_that_differ_only_in_a_secret_are_not_mixed_up(make_s3, again, option):
    alike = [make_s3(**{option: value}) for value in DIFFERENT[option] * 3]
    for storage in alike:
        assert getattr(again(storage), option) == getattr(storage, option)
        assert again(storage).client is storage.client


@COPIED
@pytest.mark.parametrize("kind", [str, str.encode], ids=["text", "bytes"])
def test_storages_that_differ_only_in_the_key_for_cloudfront_are_not_mixed_up(make_s3, again, cloudfront_keys, kind):
    alike = [
        make_s3(cloudfront_key_id="K", cloudfront_key=kind(key), custom_domain="cdn.example.com")
        for key in cloudfront_keys * 3
    ]
    for storage in alike:
        assert again(storage).cloudfront_key == storage.cloudfront_key
        assert again(storage).url("cat.jpg", expire=9_999_999).split("Signature=")[0]


def test_storages_that_differ_only_in_their_signer_are_not_mixed_up(make_s3, cloudfront_keys):
    signers = [S3ThumbnailStorage.get_cloudfront_signer(make_s3(), "K", key.encode()) for key in cloudfront_keys]
    alike = [make_s3(cloudfront_signer=signer, custom_domain="cdn.example.com") for signer in signers * 3]
    for storage in alike:
        assert copy.copy(storage).cloudfront_signer is storage.cloudfront_signer


# In another process

PROJECT = """
import os, pickle, sys
import django
from django.conf import settings

settings.configure(SECRET_KEY=%(secret_key)r, **%(settings)r)
django.setup()

from athumb_storage.storages import S3ThumbnailStorage
from tests.conftest import stored, upload

storage = pickle.load(sys.stdin.buffer)
name = storage.save("cat.jpg", upload())
print(name, *(storage.thumb_key(name, thumb) for thumb in storage.thumbs))
"""


def in_another_process(storage, **settings):
    program = PROJECT % {"secret_key": "only for tests", "settings": settings}
    hidden = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DJANGO"))}
    return subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps(storage),
        capture_output=True,
        check=False,
        env={**hidden, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def keys_in(s3_options):
    return stored(S3ThumbnailStorage(**s3_options))


def test_in_another_process_the_settings_have_the_secrets(make_s3, s3_options):
    finished = in_another_process(
        make_s3(thumbs=ONE, location="media"),
        AWS_S3_ACCESS_KEY_ID=s3_options["access_key"],
        AWS_S3_SECRET_ACCESS_KEY=s3_options["secret_key"],
    )
    assert finished.returncode == 0, finished.stderr.decode()
    assert keys_in(s3_options) == ["media/cat.jpg", "media/cat.jpg.thumbs/small.jpg"]


def test_where_nobody_has_the_secrets_nothing_is_stored(make_s3, s3_options):
    finished = in_another_process(make_s3(thumbs=ONE))
    assert finished.returncode != 0
    assert b"Unable to locate credentials" in finished.stderr
    assert keys_in(s3_options) == []


# Migrations and words


@isolate_apps("tests.shop")
def test_a_migration_holds_no_secret(make_s3, secrets):
    kinds = storages_with(make_s3, {**secrets, "proxies": None})

    class Thing(models.Model):
        image = ImageWithThumbsField(storage=kinds["unbound"], thumbs=ONE)
        file = FileWithThumbsField(storage=kinds["bound"], thumbs=ONE)
        plain = models.FileField(storage=kinds["public"])

        class Meta:
            app_label = "shop"

    for field in Thing._meta.local_fields[1:]:
        written, _ = MigrationWriter.serialize(field)
        assert "S3ThumbnailStorage(" in written
        assert "bucket_name=" in written
        assert told(written) == []
        assert told(f"{field!r} {field} {field.deconstruct()!r}") == []


def test_no_words_of_a_storage_hold_a_secret(make_s3, secrets):
    for storage in storages_with(make_s3, secrets).values():
        assert told(f"{storage!r} {storage} {storage.deconstruct()!r} {[storage]}") == []


# Errors and logs

SIGNED = ["Signature=", "X-Amz-Signature", "AWS4-HMAC-SHA256", "Credential="]


def everything_told(caught, caplog):
    records = [logging.Formatter().format(record) for record in caplog.records if record.levelno > logging.DEBUG]
    return "\n".join(
        ["".join(traceback.format_exception(caught.value)), str(caught.value), repr(caught.value), *records]
    )


@pytest.mark.parametrize("data", [None, b"plain"], ids=["image", "plain"])
@pytest.mark.parametrize(
    "options",
    [
        {"secret_key": "SECRET-secret-key"},
        {"access_key": "unknown", "secret_key": "SECRET-secret-key"},
        {"secret_key": "SECRET-secret-key", "endpoint_url": "http://127.0.0.1:9"},
        {"secret_key": "SECRET-secret-key", "bucket_name": "no-such-bucket"},
        {"secret_key": "SECRET-secret-key", "conditional_writes": False},
    ],
    ids=["wrong key", "unknown key", "unreachable", "no bucket", "asking first"],
)
def test_what_a_failed_save_tells_holds_no_secret(make_s3, caplog, options, data):
    caplog.set_level(logging.INFO)
    storage = make_s3(thumbs=ONE, client_config=Config(retries={"total_max_attempts": 1}), **options)
    storage = storage.with_thumbs({}, on_error="skip")
    with pytest.raises(UploadFailed) as caught:
        storage.save("cat.jpg", upload(data=data))
    assert "'cat." in str(caught.value)
    assert told(everything_told(caught, caplog), more=SIGNED) == []


def test_what_a_failure_besides_that_of_a_save_tells_holds_no_secret(make_s3, caplog):
    caplog.set_level(logging.INFO)
    storage = make_s3(thumbs=ONE, secret_key="SECRET-secret-key")
    for action in (storage.delete, storage.delete_thumbs, storage.generate_thumbs, storage.exists):
        with pytest.raises((ClientError, AthumbError)) as caught:
            action("cat.jpg")
        assert told(everything_told(caught, caplog), more=SIGNED) == []

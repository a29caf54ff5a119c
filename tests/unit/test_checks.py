"""The system checks: each id, what it says, and that a project in order passes them all."""

from __future__ import annotations

import ast
import io
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import django
import pytest
from botocore.config import Config
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.storage import InMemoryStorage, default_storage, storages
from django.core.management import CommandError, call_command
from django.db import models
from django.test.utils import isolate_apps
from PIL import features

from athumb_storage import AthumbError, Responsive, checks, deploy_checks
from athumb_storage.fields import ImageWithThumbsField
from athumb_storage.rendering import HEIC_NEEDED, can_write, heic
from athumb_storage.storages import InMemoryThumbnailStorage, S3ThumbnailStorage, configured
from tests.conftest import stored
from tests.shop.models import Plain, Product

# From Django 6.1 on, all checks ask the databases whether they have JSON.
pytestmark = pytest.mark.django_db(databases=["default", "other"])


def found(check_id):
    return [message for message in run_checks() if message.id == f"athumb_storage.{check_id}"]


def test_a_project_in_order():
    assert [message for message in run_checks() if message.id.startswith("athumb_storage.")] == []


def test_e001_a_storage_that_cannot_make_thumbs(settings):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    }
    messages = {str(message.obj): message for message in found("E001")}
    others = {"shop.Document.manual", "shop.Portrait.image", "shop.AlbumPhoto.image", "shop.Story.image"}
    others |= {"shop.Scan.image", "shop.Label.image"}
    others |= {f"stock.{name}.image" for name in ("Photo", "Poster", "Scan", "Labelled", "Numbered")}
    assert set(messages) == {"shop.Product.image", "gallery.Photo.image", "gallery.Showpiece.image", *others}
    message = messages["shop.Product.image"]
    assert message.is_serious()
    assert message.msg == "The field has thumbs, but its storage InMemoryStorage cannot make them."
    assert message.hint == "Use a storage of athumb_storage.storages, or give yours the ThumbnailStorageMixin."


def test_e002_wrong_project_wide_thumbs(settings):
    settings.ATHUMB_THUMBS = {"small": {"size": (20, 0)}}
    (message,) = found("E002")
    assert message.is_serious()
    assert message.msg.startswith("ATHUMB_THUMBS: thumb 'small': option 'size': (20, 0)")
    assert message.hint == "It is written like the thumbs of a field."


@pytest.mark.parametrize("thumbs", [None, {}, {"small": {"size": (20, 20)}}, [("small", {"size": (20, 20)})]])
def test_e002_is_silent_where_they_are_right(settings, thumbs):
    settings.ATHUMB_THUMBS = thumbs
    assert found("E002") == []


@pytest.fixture
def pillow_without_webp(monkeypatch):
    check = features.check
    monkeypatch.setattr(features, "check", lambda feature: feature != "webp" and check(feature))
    can_write.cache_clear()
    yield
    can_write.cache_clear()


@pytest.mark.usefixtures("pillow_without_webp")
def test_e003_a_format_that_pillow_cannot_write():
    messages = {str(message.obj): message for message in found("E003")}
    others = {"gallery.Photo.image", "gallery.Showpiece.image", "stock.Photo.image", "stock.Poster.image"}
    assert set(messages) == {"shop.Product.image", "shop.Story.image", *others}
    message = messages["shop.Product.image"]
    assert message.is_serious()
    assert message.msg == "Thumb 'large' is to be written as WEBP, which the installed Pillow cannot do."
    assert message.hint == "Install a Pillow that can, such as the wheels on PyPI, or choose another format."


# Settings and storages


@pytest.mark.skipif(django.VERSION < (5, 1), reason="it is heeded there")
@pytest.mark.parametrize(
    ("named", "entry"),
    [
        (
            "athumb.backends.s3boto.S3BotoStorage_AllPublic",
            {"BACKEND": "athumb_storage.storages.PublicS3ThumbnailStorage", "OPTIONS": {"naming": "athumb"}},
        ),
        (
            "athumb.backends.s3boto.S3BotoStorage",
            {"BACKEND": "athumb_storage.storages.S3ThumbnailStorage", "OPTIONS": {"naming": "athumb"}},
        ),
        ("athumb_storage.storages.S3ThumbnailStorage", {"BACKEND": "athumb_storage.storages.S3ThumbnailStorage"}),
        ("somebody.elses.Storage", {"BACKEND": "somebody.elses.Storage"}),
    ],
)
def test_w003_a_setting_that_django_passes_over(settings, monkeypatch, named, entry):
    settings.DEFAULT_FILE_STORAGE = named
    (message,) = found("W003")
    assert not message.is_serious()
    assert message.msg == f"Django passes over DEFAULT_FILE_STORAGE, so files are not stored by {named}."
    written = message.hint.removeprefix("Write STORAGES = ").removesuffix(" in its place.")
    assert ast.literal_eval(written) == {"default": entry, "staticfiles": settings.STORAGES["staticfiles"]}
    monkeypatch.setattr(django, "VERSION", (5, 0))
    assert found("W003") == []


@pytest.mark.skipif(django.VERSION < (5, 1), reason="it is heeded there")
def test_w003_is_silent_where_both_settings_say_the_same(settings):
    settings.DEFAULT_FILE_STORAGE = settings.STORAGES["default"]["BACKEND"]
    assert found("W003") == []


def test_w004_no_bucket(on_s3, requests_sent):
    on_s3(bucket_name=None)
    (message,) = found("W004")
    assert not message.is_serious()
    assert message.msg == "S3ThumbnailStorage has no bucket."
    assert message.hint == "Set the storage's option bucket_name, or the setting AWS_STORAGE_BUCKET_NAME."
    call_command("check", stdout=io.StringIO(), stderr=io.StringIO())
    assert requests_sent == []


@pytest.mark.parametrize(
    ("setting", "value", "instead"),
    [("AWS_AUTO_CREATE_BUCKET", True, "bucket_name"), ("THUMBNAIL_URL_CACHE_TIME", 3600, "signed_url_window")],
)
def test_w005_a_setting_of_django_athumb(settings, setting, value, instead):
    setattr(settings, setting, value)
    (message,) = found("W005")
    assert not message.is_serious()
    assert message.msg == f"The setting {setting} of django-athumb means nothing here."
    assert instead in message.hint


def test_w005_is_silent_about_what_is_done_anyway_and_what_still_counts(settings):
    settings.AWS_AUTO_CREATE_BUCKET, settings.THUMBNAIL_URL_CACHE_TIME = False, 0
    settings.AWS_REGION, settings.MEDIA_CACHE_BUSTER = "eu-west-1", "7"
    settings.AWS_STORAGE_BUCKET_CNAME, settings.AWS_HEADERS = "media.example.com", {"Expires": "0"}
    assert found("W005") == []


OURS = "athumb_storage.storages.InMemoryThumbnailStorage"


@pytest.fixture
def no_heic(monkeypatch):
    monkeypatch.setattr(heic, "can_read_heic", lambda: False)


@pytest.mark.usefixtures("no_heic")
@pytest.mark.parametrize("alias", ["default", "photos"])
def test_e008_an_extra_is_missing(settings, alias):
    wrong = {"BACKEND": OURS, "OPTIONS": {"allowed_formats": ["HEIC"]}}
    settings.STORAGES = {**settings.STORAGES, alias: wrong}
    (message,) = found("E008")
    assert message.is_serious()
    assert message.obj == f"STORAGES['{alias}']"
    assert HEIC_NEEDED in message.msg
    assert "install" in message.hint
    (again,) = run_checks(tags=["athumb_storage"], include_deployment_checks=True)
    assert again == message


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ({"BACKEND": "athumb_storage.storages.S4ThumbnailStorage"}, "S4ThumbnailStorage"),
        ({"BACKEND": OURS, "OPTIONS": {"thumb": {}}}, "thumb"),
        ({"BACKEND": "athumb_storage.storages.S3ThumbnailStorage", "OPTIONS": {"bucket": "b"}}, "'bucket'"),
        ({}, "BACKEND"),
    ],
    ids=str,
)
def test_e008_other_faults(settings, backend, said):
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    (message,) = found("E008")
    assert said in message.msg
    assert found("E001") == []


def test_e008_a_field_whose_alias_is_gone(monkeypatch):
    monkeypatch.setattr(Product._meta.get_field("image"), "_given", configured("gone"))
    (message,) = found("E008")
    assert str(message.obj) == "shop.Product.image"
    assert "'gone'" in message.msg


def test_e008_a_module_that_does_not_want_to_be_imported(settings, monkeypatch, tmp_path):
    """As those of django-storages do not where their library is missing."""
    (tmp_path / "unwilling.py").write_text("raise ValueError('the library is missing')")
    monkeypatch.syspath_prepend(tmp_path)
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "unwilling.Storage"}}
    (message,) = found("E008")
    assert "the library is missing" in message.msg


class OfSomebodyElse(InMemoryStorage):
    def __init__(self):
        raise ImproperlyConfigured("the environment does not say where")


def test_e008_a_storage_of_somebody_else_counts_only_where_it_is_to_make_thumbs(settings):
    backend = {"BACKEND": f"{__name__}.OfSomebodyElse"}
    settings.STORAGES = {**settings.STORAGES, "backups": backend}
    assert found("E008") == []
    assert "backups" not in vars(storages)["_storages"]
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    (message,) = found("E008")
    assert "the environment does not say where" in message.msg


@pytest.mark.parametrize(("model", "name"), [(Product, "image"), (Plain, "file")])
@pytest.mark.parametrize("upload_to", ["cat.jpg.thumbs", "photos/%Y.thumbs/", "a/./b.thumbs"])
def test_e009_uploads_among_thumbs(monkeypatch, model, name, upload_to):
    field = model._meta.get_field(name)
    monkeypatch.setattr(field, "upload_to", upload_to)
    (message,) = found("E009")
    assert message.is_serious()
    assert message.obj is field
    assert repr(upload_to) in message.msg
    assert "upload_to" in message.hint
    with pytest.raises(SuspiciousFileOperation, match="thumbs are stored under names like this"):
        field.storage.get_available_name(f"{upload_to}/cat.jpg")


class Chosen:
    def __call__(self, instance, name):
        return f"photos/{name}"

    def __str__(self):
        return "a.thumbs"


@pytest.mark.parametrize("upload_to", ["thumbs", "photos/%Y/%m/%d", "a.thumbs/b", Chosen()])
def test_e009_is_silent_where_uploads_are_stored(monkeypatch, upload_to):
    monkeypatch.setattr(Product._meta.get_field("image"), "upload_to", upload_to)
    assert found("E009") == []


@pytest.mark.parametrize(
    "backend",
    [
        {"BACKEND": OURS, "OPTIONS": {"naming": "athumb"}},
        {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        {"BACKEND": "no.such.Storage"},
    ],
    ids=str,
)
def test_e009_is_silent_where_no_thumbs_are_named_so(settings, monkeypatch, backend):
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    monkeypatch.setattr(Product._meta.get_field("image"), "upload_to", "a.thumbs")
    assert found("E009") == []


# Before a deployment: whether servers do what storages rely on


@pytest.fixture
def on_s3(settings, s3_options):
    """Makes S3 the default storage, with these options."""

    def put(**options):
        backend = {
            "BACKEND": "athumb_storage.storages.S3ThumbnailStorage",
            "OPTIONS": {**s3_options, **options},
        }
        settings.STORAGES = {**settings.STORAGES, "default": backend}

    return put


NO_RETRIES = Config(retries={"total_max_attempts": 1})


def found_before_deploying():
    messages = run_checks(tags=["athumb_storage"], include_deployment_checks=True)
    by_id = {message.id.partition(".")[2]: message for message in messages}
    assert len(by_id) == len(messages)
    return by_id


@contextmanager
def deaf_to_conditions(storage):
    """The server stores, whatever the condition."""

    def drop(params, **_):
        return {name: value for name, value in params.items() if name != "IfNoneMatch"}

    events = storage.client.meta.events
    events.register("provide-client-params.s3.PutObject", drop)
    try:
        yield
    finally:
        events.unregister("provide-client-params.s3.PutObject", drop)


def test_names_are_claimed_and_the_server_honours_it(on_s3, make_s3, requests_sent):
    on_s3(conditional_writes=True)
    assert found_before_deploying() == {}
    assert sorted(method for method, _ in requests_sent) == ["POST", "POST", "PUT", "PUT", "PUT"]
    assert stored(make_s3()) == []


@pytest.mark.parametrize("conditional_writes", [False, None])
def test_w001_the_server_could_do_more(on_s3, make_s3, s3_options, conditional_writes):
    on_s3(conditional_writes=conditional_writes)
    (message,) = found_before_deploying().values()
    assert message.id == "athumb_storage.W001"
    assert not message.is_serious()
    assert s3_options["bucket_name"] in message.msg
    assert "conditional_writes=True" in message.hint
    assert stored(make_s3()) == []


def test_e004_the_server_does_not_honour_it(on_s3, make_s3, s3_options):
    on_s3(conditional_writes=True)
    with deaf_to_conditions(default_storage):
        (message,) = found_before_deploying().values()
    assert message.id == "athumb_storage.E004"
    assert message.is_serious()
    assert s3_options["bucket_name"] in message.msg
    assert "conditional_writes=False" in message.hint
    assert stored(make_s3()) == []


def test_nothing_is_claimed_and_the_server_would_not_honour_it(on_s3, make_s3):
    on_s3(conditional_writes=False)
    with deaf_to_conditions(default_storage):
        assert found_before_deploying() == {}
    assert stored(make_s3()) == []


@pytest.mark.parametrize(
    "options",
    [{"endpoint_url": "http://127.0.0.1:9", "client_config": NO_RETRIES}, {"secret_key": "a guessed secret"}],
    ids=["nobody there", "wrong key"],
)
@pytest.mark.parametrize("conditional_writes", [True, False])
def test_w006_nothing_can_be_stored(on_s3, make_s3, options, conditional_writes):
    on_s3(conditional_writes=conditional_writes, **options)
    (message,) = found_before_deploying().values()
    assert message.id == "athumb_storage.W006"
    assert not message.is_serious()
    assert make_s3().bucket_name in message.msg
    assert "a guessed secret" not in str(message)
    assert stored(make_s3()) == []


@pytest.mark.parametrize("options", [{}, {"unique_names": True}, {"file_overwrite": True}], ids=str)
def test_e005_no_bucket(on_s3, requests_sent, options):
    on_s3(bucket_name=None, **options)
    (message,) = found_before_deploying().values()
    assert message.id == "athumb_storage.E005"
    assert message.is_serious()
    assert message.msg == "S3ThumbnailStorage has no bucket."
    assert message.hint == "Set the storage's option bucket_name, or the setting AWS_STORAGE_BUCKET_NAME."
    assert requests_sent == []


@pytest.mark.parametrize("option", ["unique_names", "file_overwrite"])
def test_where_no_name_is_claimed_only_a_thumb_is_stored(on_s3, make_s3, requests_sent, option):
    on_s3(**{option: True})
    assert found_before_deploying() == {}
    assert [method for method, _ in requests_sent] == ["PUT", "POST"]
    assert stored(make_s3()) == []


@pytest.mark.parametrize(("model", "name", "attribute"), [(Product, "image", "_given"), (Plain, "file", "storage")])
def test_the_storage_of_a_field_is_tried_too_and_each_once(make_s3, monkeypatch, requests_sent, model, name, attribute):
    storage = make_s3(conditional_writes=False)
    monkeypatch.setattr(model._meta.get_field(name), attribute, storage)
    monkeypatch.setattr(Plain._meta.get_field("image"), "storage", storage)
    assert list(found_before_deploying()) == ["W001"]
    assert sum(method == "PUT" for method, _ in requests_sent) == 3


def test_a_storage_without_s3_is_not_tried():
    assert found_before_deploying() == {}


def test_nothing_is_sent_unless_it_is_for_a_deployment(on_s3, requests_sent):
    on_s3(conditional_writes=False)
    assert [message.id for message in run_checks() if message.id.startswith("athumb_storage.")] == []
    call_command("check", stdout=io.StringIO())
    assert requests_sent == []


def test_as_a_command(on_s3):
    on_s3(conditional_writes=True)
    with deaf_to_conditions(default_storage), pytest.raises(CommandError, match=r"athumb_storage\.E004"):
        call_command("check", deploy=True, tags=["athumb_storage"])
    call_command("check", deploy=True, tags=["athumb_storage"], stdout=io.StringIO())


def test_a_check_that_was_broken_off_leaves_nothing(on_s3, make_s3):
    """W002: the answer to the second write of the trial is no refusal, but an error."""
    on_s3(conditional_writes=True)
    asked = []

    def fails(params, **_):
        asked.append(params)
        if "IfNoneMatch" in params:
            raise ConnectionError("the network is down")

    events = default_storage.client.meta.events
    events.register("provide-client-params.s3.PutObject", fails)
    try:
        assert list(found_before_deploying()) == ["W002"]
    finally:
        events.unregister("provide-client-params.s3.PutObject", fails)
    assert len(asked) == 3
    assert stored(make_s3()) == []


# Before a deployment: whether a thumb can be had by its URL


@pytest.fixture
def site():
    """A site that answers what it is told to, whatever is asked; where it is, its answer, and what was asked."""
    asked, answer = [], {"status": 200, "headers": {"Content-Type": "image/webp"}}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response_only(answer["status"])
            for name, value in answer["headers"].items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield {"custom_domain": f"127.0.0.1:{server.server_port}", "url_protocol": "http:"}, answer, asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"location": "media"},
        {"signed_url_window": 600},
        {"naming": "athumb"},
        {"naming": "fingerprint"},
        {"object_parameters": {"CacheControl": "max-age=60, public"}},
        {"thumb_object_parameters": {"ContentType": "image/x-webp"}},
        {"gzip": True, "gzip_content_types": ["image/webp"]},
    ],
    ids=str,
)
def test_a_thumb_is_served_as_it_is_stored(on_s3, make_s3, options):
    on_s3(**options)
    assert found_before_deploying() == {}
    assert stored(make_s3()) == []


def test_w007_the_bucket_may_not_be_read(on_s3, make_s3):
    on_s3(querystring_auth=False)
    (message,) = found_before_deploying().values()
    assert message.id == "athumb_storage.W007"
    assert not message.is_serious()
    assert "the answer is 403" in message.msg
    assert "does not allow reading" in message.hint
    assert stored(make_s3()) == []


def test_w007_the_url_leads_elsewhere(on_s3, make_s3, site):
    options, answer, asked = site
    answer["status"] = 404
    on_s3(**options, location="media")
    (message,) = found_before_deploying().values()
    assert message.id == "athumb_storage.W007"
    assert f"http://{options['custom_domain']}{asked[0]}: the answer is 404" in message.msg
    assert "custom_domain" in message.hint
    assert asked[0].startswith("/media/")
    assert stored(make_s3()) == []


def test_w007_nobody_is_there(on_s3, make_s3):
    on_s3(custom_domain="127.0.0.1:9", url_protocol="http:")
    (message,) = found_before_deploying().values()
    assert message.id == "athumb_storage.W007"
    assert "refused" in message.msg
    assert stored(make_s3()) == []


def test_w007_tells_no_signature(on_s3, make_s3, monkeypatch):
    def fails(request, **_):
        assert "X-Amz-Signature" in request.full_url
        raise ValueError(f"URL can't contain {request.full_url!r}")

    monkeypatch.setattr(deploy_checks, "urlopen", fails)
    on_s3()
    (message,) = found_before_deploying().values()
    assert message.id == "athumb_storage.W007"
    assert "URL can't contain" in message.msg
    assert "X-Amz" not in str(message)
    assert stored(make_s3()) == []


@pytest.mark.parametrize("served", [{}, {"Content-Type": "text/html; charset=utf-8"}], ids=str)
def test_w008_another_content_type(on_s3, make_s3, site, served):
    options, answer, _ = site
    answer["headers"] = served
    on_s3(**options)
    (message,) = found_before_deploying().values()
    assert message.id == "athumb_storage.W008"
    assert not message.is_serious()
    assert "stored as image/webp" in message.msg
    assert message.msg.endswith(f"says {served.get('Content-Type', 'nothing')}.")
    assert "Content-Type" in message.hint
    assert stored(make_s3()) == []


@pytest.mark.parametrize("served", [{}, {"Cache-Control": "no-store"}], ids=str)
@pytest.mark.parametrize(
    "caching", [{"object_parameters": {"CacheControl": "max-age=60"}}, {"naming": "fingerprint"}], ids=str
)
def test_w009_another_caching(on_s3, make_s3, site, served, caching):
    options, answer, _ = site
    answer["headers"] = {"Content-Type": "image/webp", **served}
    on_s3(**options, **caching)
    (message,) = found_before_deploying().values()
    assert message.id == "athumb_storage.W009"
    assert not message.is_serious()
    assert "max-age=" in message.msg
    assert message.msg.endswith(f"says {served.get('Cache-Control', 'nothing')}.")
    assert "CacheControl" in message.hint
    assert stored(make_s3()) == []


def test_the_words_of_headers_may_stand_otherwise(on_s3, site):
    options, answer, _ = site
    answer["headers"] = {"Content-Type": "Image/WebP; charset=x", "Cache-Control": "PUBLIC,max-age=60"}
    on_s3(**options, object_parameters={"CacheControl": "max-age=60, public"})
    assert found_before_deploying() == {}


def test_where_nothing_is_said_of_caching_any_will_do(on_s3, site):
    options, answer, _ = site
    answer["headers"]["Cache-Control"] = "max-age=5"
    on_s3(**options)
    assert found_before_deploying() == {}


def test_w006_what_was_stored_cannot_be_removed(on_s3, make_s3, monkeypatch):
    def refuses(*_):
        raise AthumbError("S3 did not delete it")

    on_s3()
    with monkeypatch.context() as patch:
        patch.setattr(S3ThumbnailStorage, "_remove", refuses)
        (message,) = found_before_deploying().values()
    assert message.id == "athumb_storage.W006"
    (left,) = stored(make_s3())
    assert repr(left) in message.msg


def test_a_write_whose_answer_was_lost_leaves_nothing(on_s3, make_s3):
    def loses(http_response, **_):
        raise ConnectionError("the network is down")

    on_s3()
    events = default_storage.client.meta.events
    events.register("after-call.s3.PutObject", loses)
    try:
        (message,) = found_before_deploying().values()
    finally:
        events.unregister("after-call.s3.PutObject", loses)
    assert message.id == "athumb_storage.W006"
    assert "the network is down" in message.msg
    assert stored(make_s3()) == []


def test_who_is_stopped_leaves_nothing(on_s3, make_s3, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(deploy_checks, "urlopen", stopped)
    on_s3()
    with pytest.raises(KeyboardInterrupt):
        found_before_deploying()
    assert stored(make_s3()) == []


@isolate_apps("tests.shop")
def test_e006_and_e007_a_column_and_a_processor_that_are_not_there():
    class Thing(models.Model):
        image = ImageWithThumbsField(
            storage=InMemoryThumbnailStorage(),
            focal_field="focus",
            thumbs={"t": {"size": (9, 9), "processors": ("athumb_storage.processors.sharpen", "no.such")}},
        )

        class Meta:
            app_label = "shop"

    column, processor = checks._check_field(Thing._meta.get_field("image"))
    assert (column.id, processor.id) == ("athumb_storage.E006", "athumb_storage.E007")
    assert "'focus'" in column.msg
    assert "'t' has the processor no.such" in processor.msg


@isolate_apps("tests.shop")
def messages_of(**options):
    class Thing(models.Model):
        width = models.IntegerField(null=True)
        height = models.IntegerField(null=True)
        image = ImageWithThumbsField(storage=InMemoryThumbnailStorage(), **options)

        class Meta:
            app_label = "shop"

    return list(checks._check_field(Thing._meta.get_field("image")))


def test_e010_no_field_for_the_placeholder():
    [message] = messages_of(placeholder_field="hash")
    assert message.id == "athumb_storage.E010"
    assert "'hash'" in message.msg
    assert "hash = models.CharField(max_length=40" in message.hint
    assert messages_of(placeholder_field="width") == []


HERO = {"hero": Responsive(widths=(10, 20), ratio=(2, 1))}


@pytest.mark.parametrize(
    ("thumbs", "name"),
    [(HERO, "'hero'"), ({"fit": {"size": (9, 9), "format": ("WEBP", "JPEG")}}, "'fit'")],
)
def test_w010_no_size_is_kept(thumbs, name):
    [message] = messages_of(thumbs=thumbs)
    assert message.id == "athumb_storage.W010"
    assert message.msg.endswith(f"{name}.")
    assert "width_field" in message.hint
    assert messages_of(thumbs=thumbs, width_field="width", height_field="height") == []


@pytest.mark.parametrize(
    "options", [{"format": "WEBP"}, {"format": ("WEBP", "JPEG"), "crop": True}, {"densities": (1, 2)}]
)
def test_w010_is_silent_where_the_size_is_known_or_not_wanted(options):
    assert messages_of(thumbs={"thumb": {"size": (9, 9), **options}}) == []

"""What depends on the server follows from the address that requests go to, whoever names it."""

from __future__ import annotations

import pytest
from botocore.config import Config
from django.core.files.base import ContentFile

from athumb_storage import UploadFailed
from athumb_storage.storages import S3ThumbnailStorage
from tests.conftest import stored, upload
from tests.proxy import Ending, Fault, Proxy, refusal

ONE = {"small": {"size": (30, 30)}}


@pytest.fixture(params=["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "profile", "services"])
def options_without_endpoint(request, monkeypatch, tmp_path, s3_options):
    """Options of a storage that says nothing of the server: the environment does, or the profile."""
    url = s3_options["endpoint_url"]
    options = {name: value for name, value in s3_options.items() if name not in ("endpoint_url", "conditional_writes")}
    if request.param.startswith("AWS_"):
        monkeypatch.setenv(request.param, url)
        return options
    said = f"endpoint_url = {url}"
    if request.param == "services":
        said = f"services = there\n[services there]\ns3 =\n  {said}"
    file = tmp_path / "config"
    keys = f"aws_access_key_id = {options.pop('access_key')}\naws_secret_access_key = {options.pop('secret_key')}"
    file.write_text(f"[profile mine]\n{keys}\n{said}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    return {**options, "session_profile": "mine"}


def test_a_server_that_is_not_amazons_is_asked_and_spared_checksums(options_without_endpoint, exchanges):
    storage = S3ThumbnailStorage(thumbs=ONE, **options_without_endpoint)
    assert storage.save("cat.jpg", upload()) == "cat.jpg"
    assert sorted(request.method for request in exchanges) == ["HEAD", "PUT", "PUT"]
    for request in exchanges:
        assert "If-None-Match" not in request.headers
        assert not [name for name in request.headers if name.lower().startswith(("x-amz-checksum", "x-amz-sdk"))]
    assert storage.save("cat.jpg", upload()) != "cat.jpg"
    assert len(stored(storage)) == 4
    assert "X-Amz-Signature=" in storage.url("cat.jpg")


@pytest.mark.parametrize(
    ("endpoint_url", "is_amazons"),
    [
        (None, True),
        ("https://s3.eu-west-1.amazonaws.com", True),
        ("https://s3.dualstack.us-east-1.amazonaws.com", True),
        ("https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com", True),
        ("https://s3.cn-north-1.amazonaws.com.cn", True),
        ("https://storage.googleapis.com", False),
        ("https://s3.amazonaws.com.example.org", False),
        ("https://notamazonaws.com", False),
        ("http://127.0.0.1:8333", False),
    ],
)
def test_names_are_claimed_at_amazons_own_addresses(s3_options, endpoint_url, is_amazons):
    options = {name: value for name, value in s3_options.items() if name != "conditional_writes"}
    storage = S3ThumbnailStorage(**{**options, "endpoint_url": endpoint_url})
    assert storage.claims_names == is_amazons
    assert storage.client.meta.config.request_checksum_calculation == (
        "when_supported" if is_amazons else "when_required"
    )


@pytest.mark.parametrize("conditional_writes", [True, False])
def test_the_project_has_the_last_word(s3_options, conditional_writes):
    options = {**s3_options, "conditional_writes": conditional_writes}
    assert S3ThumbnailStorage(**options).claims_names == conditional_writes
    assert S3ThumbnailStorage(**{**options, "endpoint_url": None}).claims_names == conditional_writes


# What a refusal means


def refusing(status, code):
    return Fault(code, Ending.GOES_ON, acts=False, answering=refusal(status, code))


@pytest.mark.parametrize("content", [upload, lambda: ContentFile(b"notes")], ids=["image", "plain"])
@pytest.mark.parametrize(
    ("status", "code", "attempts"),
    [
        ("409 Conflict", "OperationAborted", 1),
        ("412 Precondition Failed", "InvalidArgument", 1),
        ("412 Precondition Failed", "PreconditionFailed", 100),
        ("409 Conflict", "ConditionalRequestConflict", 100),
    ],
)
def test_a_server_that_refuses_every_write_is_not_asked_for_ever(
    make_s3, s3_server, bucket, content, status, code, attempts
):
    with Proxy(s3_server.endpoint_url) as proxy:
        config = Config(retries={"total_max_attempts": 1})
        storage = make_s3(thumbs=ONE, endpoint_url=proxy.url, client_config=config)
        script = proxy.script(bucket, refusing(status, code))
        with pytest.raises(UploadFailed, match="100 names" if attempts == 100 else code):
            storage.save("cat.jpg", content())
    assert [request.method for request in script.requests] == ["PUT"] * attempts
    assert stored(make_s3()) == []

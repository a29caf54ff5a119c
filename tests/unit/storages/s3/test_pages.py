"""Pages of a listing: what comes out is what botocore makes of them."""

from __future__ import annotations

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from athumb_storage.storages.s3.client import UnexpectedAnswer
from athumb_storage.storages.s3.pages import parse_page

NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

ENTRY = (
    "<Contents><Key>a%2Fb+c%0A%22.jpg</Key><LastModified>2024-02-29T12:00:00.000Z</LastModified>"
    "<ETag>&quot;0123&quot;</ETag><Size>5000000000</Size><StorageClass>STANDARD</StorageClass></Contents>"
)


def page(entries=ENTRY, *, namespace=NAMESPACE, after=""):
    head = "<Name>bucket</Name><Prefix></Prefix><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>"
    root = f"<ListBucketResult{namespace}>{head}{entries}{after}<EncodingType>url</EncodingType></ListBucketResult>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{root}'.encode()


class Raw:
    """The body of an answer, as urllib3 has it."""

    def __init__(self, body):
        self._body = body

    def stream(self, *_args, **_options):
        yield self._body


def answered(body, *, fast, status=200):
    """What a client makes of a page, with or without the handler; and whether the handler did something."""
    client = boto3.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}),
    )
    taken = []

    def watched(customized_response_dict, **options):
        parse_page(customized_response_dict=customized_response_dict, **options)
        taken.append(bool(customized_response_dict))

    if fast:
        client.meta.events.register("before-parse.s3.ListObjectsV2", watched)
    client.meta.events.register(
        "before-send.s3.ListObjectsV2", lambda request, **_: AWSResponse(request.url, status, {}, Raw(body))
    )
    answer = client.list_objects_v2(Bucket="bucket")
    answer.pop("ResponseMetadata")
    return answer, taken == [True]


EXPECTED = {
    "a page": page(),
    "without a namespace": page(namespace=""),
    "odd keys": page(
        "".join(f"<Contents><Key>{key}</Key></Contents>" for key in ("%C3%A4%25", " a ", "&amp;&lt;", ""))
    ),
    "times": page(
        "".join(
            f"<Contents><Key>a</Key><LastModified>{time}</LastModified></Contents>"
            for time in ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00.123456Z", "2024-01-01T00:00:00+02:00")
        )
    ),
    "an owner": page(ENTRY.replace("</Contents>", "<Owner><ID>1</ID><DisplayName>me</DisplayName></Owner></Contents>")),
    "an owner of another order": page(
        ENTRY.replace("<Key>", "<Owner><DisplayName></DisplayName><ID>1</ID></Owner><Key>")
    ),
    "checksums": page(
        ENTRY.replace(
            "</Contents>",
            "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumAlgorithm>SHA256</ChecksumAlgorithm>"
            "<ChecksumType>FULL_OBJECT</ChecksumType></Contents>",
        )
    ),
    "common prefixes": page(after="<CommonPrefixes><Prefix>a%2F</Prefix></CommonPrefixes>" * 2),
    "between lines": page().replace(b"><", b">\n  <"),
}

LEFT_ALONE = {
    "nothing in it": page(""),
    "an unknown element": page(ENTRY.replace("</Contents>", "<New>1</New></Contents>")),
    "an element in a text": page(ENTRY.replace("5000000000", "5000000000<Unit>B</Unit>")),
    "an unknown element of an owner": page(
        ENTRY.replace("</Contents>", "<Owner><ID>1</ID><New>me</New></Owner></Contents>")
    ),
    "an archived object": page(
        ENTRY.replace(
            "</Contents>", "<RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus></Contents>"
        )
    ),
    "a time without its zone": page(ENTRY.replace("00.000Z", "00")),
    "a time as S3 says it in headers": page(ENTRY.replace("2024-02-29T12:00:00.000Z", "Thu, 29 Feb 2024 12:00:00 GMT")),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_expected_is_parsed_as_botocore_does(name):
    fast, is_taken = answered(EXPECTED[name], fast=True)
    assert is_taken
    plain, _ = answered(EXPECTED[name], fast=False)
    assert fast == plain
    assert [[*entry] for entry in fast["Contents"]]


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_is_not_expected_is_left_to_botocore(name):
    fast, is_taken = answered(LEFT_ALONE[name], fast=True)
    assert not is_taken
    assert fast == answered(LEFT_ALONE[name], fast=False)[0]


@pytest.mark.parametrize("fast", [True, False])
def test_errors_stay_botocores(fast):
    with pytest.raises(ClientError, match="500"):  # what botocore takes a page for that is cut off
        answered(b"<ListBucketResult><Contents>", fast=fast)
    with pytest.raises(ClientError, match="AccessDenied"):
        answered(b"<Error><Code>AccessDenied</Code></Error>", fast=fast, status=403)


def test_a_page_of_somebody_else_is_not_believed(make_s3, monkeypatch):
    storage = make_s3()
    storage.client.meta.events.register(
        "before-send.s3.ListObjectsV2",
        lambda request, **_: AWSResponse(request.url, 200, {}, Raw(b"<html><Contents/></html>")),
        unique_id="somebody-else",
    )
    try:
        with pytest.raises(UnexpectedAnswer):
            list(storage.list_files())
    finally:
        storage.client.meta.events.unregister("before-send.s3.ListObjectsV2", unique_id="somebody-else")


def test_several_pages_of_a_real_server(make_s3, s3_server):
    storage = make_s3()
    keys = [*(f"{number}.txt" for number in range(5)), "a/ä \"%'+&<>.txt", "a-b.txt"]
    for key in keys:
        storage.client.put_object(Bucket=storage.bucket_name, Key=key, Body=b"text")
    ours = [storage.client.get_paginator("list_objects_v2"), s3_server.client().get_paginator("list_objects_v2")]
    options = {"Bucket": storage.bucket_name, "PaginationConfig": {"PageSize": 2}}
    fast, plain = ([page["Contents"] for page in each.paginate(**options)] for each in ours)
    assert fast == plain
    assert len(fast) > 2
    assert {entry["Key"] for page in fast for entry in page} == {*keys}

"""The proxy through which the tests break requests, and the benchmarks delay them."""

from __future__ import annotations

import io
import time

from tests.proxy import slow_proxy

DELAY = 0.5


def test_a_slow_proxy_delays_each_request_once(s3_server, bucket, make_s3, exchanges):
    place = {"Bucket": bucket, "Key": "key"}
    with slow_proxy(s3_server.endpoint_url, DELAY) as url:
        client = make_s3(endpoint_url=url).client
        client.put_object(**place, Body=b"what it takes to begin is not measured")
        for data in (b"small", bytes(1 << 20)):
            begun = time.monotonic()
            client.put_object(**place, Body=io.BytesIO(data))
            stored = time.monotonic()
            assert client.get_object(**place)["Body"].read() == data
            assert DELAY <= stored - begun < 2 * DELAY
            assert DELAY <= time.monotonic() - stored < 2 * DELAY
    assert exchanges[1].headers["Expect"] == b"100-continue"  # its body follows when it is asked for

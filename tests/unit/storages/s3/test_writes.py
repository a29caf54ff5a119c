"""Writes to S3, with answers that a real server does not give on demand."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ParamValidationError

from athumb_storage.storages.journal import WriteOutcomeUnknown
from athumb_storage.storages.s3.writes import IF_FREE, Target, certainly_not_written


def refusal(status, retries=0, code="x"):
    metadata = {"HTTPStatusCode": status, "RetryAttempts": retries}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, "PutObject")


class Server:
    """Answers a write with an error, and has something stored."""

    def __init__(self, error, *, stores=False, stored=None, head_error=None):
        self.error, self.stores, self.stored, self.head_error = error, stores, stored, head_error
        self.asked = []

    def put_object(self, *, Metadata, **parameters):
        self.asked.append("PUT")
        if self.stores:
            self.stored = {"Metadata": Metadata}
        if self.error:
            raise self.error

    def head_object(self, **parameters):
        self.asked.append("HEAD")
        if self.head_error:
            raise self.head_error
        if self.stored is None:
            raise refusal(404)
        return self.stored


def put(server):
    Target(server, "bucket", "cat.jpg", "cat.jpg", lambda operation: {}).put_verified(b"", dict(IF_FREE))


# The codes of https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
@pytest.mark.parametrize(("status", "code"), [(412, "PreconditionFailed"), (409, "ConditionalRequestConflict")])
def test_a_precondition_that_failed_means_that_the_name_is_taken(status, code):
    server = Server(refusal(status, code=code), stored={"Metadata": {}})
    with pytest.raises(FileExistsError, match=r"cat\.jpg"):
        put(server)
    assert server.asked == ["PUT"]


@pytest.mark.parametrize("status", [400, 403, 404, 409, 412])
def test_a_refusal_is_an_error_and_needs_no_question(status):
    server = Server(refusal(status))
    with pytest.raises(ClientError):
        put(server)
    assert server.asked == ["PUT"]


NO_ANSWER = ConnectionClosedError(endpoint_url="http://s3")
LOST = [refusal(500), refusal(503), refusal(412, retries=1, code="PreconditionFailed"), NO_ANSWER]


@pytest.mark.parametrize("error", LOST, ids=repr)
def test_a_write_whose_answer_was_lost_is_told_by_its_token(error):
    server = Server(error, stores=True)
    put(server)
    assert server.asked == ["PUT", "HEAD"]


@pytest.mark.parametrize("stored", [None, {"Metadata": {}}, {"Metadata": {"athumb-upload": "another"}}], ids=repr)
@pytest.mark.parametrize("error", LOST, ids=repr)
def test_what_has_another_token_is_not_ours(error, stored):
    with pytest.raises((FileExistsError, ClientError, ConnectionClosedError)):
        put(Server(error, stored=stored))


@pytest.mark.parametrize("head_error", [refusal(500), refusal(403), NO_ANSWER], ids=repr)
def test_where_nobody_can_be_asked_the_outcome_is_unknown(head_error):
    with pytest.raises(WriteOutcomeUnknown) as caught:
        put(Server(refusal(500), stores=True, head_error=head_error))
    assert caught.value.name == "cat.jpg"


def test_what_was_never_sent_was_certainly_not_written():
    assert certainly_not_written(ParamValidationError(report="wrong"))

"""Fields whose storages are those of a test, and files that are put there without a storage."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial

from django.db import connection


def field_of(model, name="image"):
    return model._meta.get_field(name)


@contextmanager
def stored_in(storage, *fields):
    """These fields have this storage for a while."""
    before = [getattr(field, "_given", field.storage) for field in fields]
    for field in fields:
        field.storage = storage
    try:
        yield storage
    finally:
        for field, given in zip(fields, before, strict=True):
            field.storage = given


@contextmanager
def all_stored_in(storages):
    """Fields, each with its storage."""
    with ExitStack() as stack:
        for field, storage in storages.items():
            stack.enter_context(stored_in(storage, field))
        yield


def put(storage, keys: Collection[str], body=b"x"):
    """Store something at these keys of the storage's bucket, many at a time; originals first, as a save does."""
    store = partial(storage.client.put_object, Bucket=storage.bucket_name, Body=body)
    thumbs = {key for key in keys if ".thumbs/" in key or "_small." in key}
    with ThreadPoolExecutor(8) as pool:
        for some in ({*keys} - thumbs, thumbs):
            list(pool.map(lambda key: store(Key=key), sorted(some)))


def take_away(model):
    """Take the table of a model away, until the test's transaction is rolled back."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {model._meta.db_table} RENAME TO stock_away")

"""Four processes claim the ranges of one run; each prints the primary keys of those it got."""

from __future__ import annotations

import json
import os
import sys


def main(database: str) -> None:
    import django
    from django.conf import settings

    settings.DATABASES["default"] |= {"NAME": database, "OPTIONS": {"timeout": 60}}
    django.setup()
    from django.db import connection

    from athumb_storage.distributed import leases
    from athumb_storage.distributed.models import Failure, Range, Run

    with connection.schema_editor() as editor:
        for model in (Run, Range, Failure):
            editor.create_model(model)
    run = Run.objects.create(model="shop.Product", field="image", database="default")
    Range.objects.bulk_create(Range(run=run, rows=1, end=str(number)) for number in range(200))
    connection.close()
    gate = os.pipe()
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            os.close(gate[1])
            os.read(gate[0], 1)
            claimed = []
            while part := leases.claim(run):
                claimed.append(part.pk)
            os.write(1, f"{json.dumps(claimed)}\n".encode())
            os._exit(0)
        children.append(child)
    os.close(gate[0])
    os.close(gate[1])
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)


if __name__ == "__main__":
    main(sys.argv[1])

"""What a run consists of: labels, primary keys as text, and counts. No storage, and no secret."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models, router
from django.utils import timezone


class PrimaryManager(models.Manager[Any]):
    """Reads where it is written: a replica is late, and would show a range as free that is not."""

    def get_queryset(self) -> models.QuerySet[Any]:
        rows = super().get_queryset()
        return rows if self._db else rows.using(router.db_for_write(self.model))


class Run(models.Model):
    """One regeneration that several workers share."""

    class State(models.TextChoices):
        UNDERWAY = "underway"
        CANCELLED = "cancelled"
        FINISHED = "finished"

    model = models.CharField(max_length=255)
    """The label of the model that has the rows, such as "store.Product"."""
    field = models.CharField(max_length=255)
    database = models.CharField(max_length=255)
    """The alias of the database that has the rows."""
    only = models.JSONField(null=True)
    """The thumb names wanted; None is all."""
    workers = models.PositiveIntegerField(null=True)
    """How many originals each task works on at once; None is what its machine has the cores for."""
    fingerprint = models.CharField(max_length=64)
    """That of the thumb set: a worker whose code has another leaves the run alone."""
    backend = models.CharField(max_length=255)
    queue = models.CharField(max_length=255)
    """Where its tasks go."""
    state = models.CharField(max_length=10, choices=State.choices, default=State.UNDERWAY)
    created = models.DateTimeField(default=timezone.now)
    started = models.DateTimeField(null=True)
    """When the first range was claimed, by the database's clock as all that follows."""

    objects: ClassVar[models.Manager[Run]] = PrimaryManager()

    def __str__(self) -> str:
        return f"{self.pk} ({self.model}.{self.field})"


class Range(models.Model):
    """A part of a run that one worker does at a time: rows in the order of their primary keys."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="ranges")
    cursor = models.TextField(null=True)  # noqa: DJ001, an empty text can be a primary key
    """The primary key up to which it is done; None is the beginning of the table."""
    end = models.TextField(null=True)  # noqa: DJ001
    """The last primary key; None where they are listed."""
    listed = models.JSONField(null=True)
    """All primary keys, where only some rows in between are meant."""
    only = models.JSONField(null=True)
    """The thumb names wanted of the rows that are listed; None is what the run says."""
    rows = models.PositiveIntegerField()
    """How many there were."""
    done = models.PositiveIntegerField(default=0)
    generated = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    owner = models.CharField(max_length=32, default="", blank=True)
    """The random token of who claimed it last, "" if that one gave it back."""
    lease = models.DateTimeField(null=True)
    """Until when it is the owner's; None if it is nobody's."""
    attempts = models.PositiveIntegerField(default=0)
    """How often it was claimed since the cursor moved."""
    moved = models.DateTimeField(null=True)
    """When the cursor moved."""
    finished = models.BooleanField(default=False)

    objects: ClassVar[models.Manager[Range]] = PrimaryManager()

    class Meta:
        indexes = [models.Index(fields=["run", "finished", "lease"], name="athumb_range_free")]

    def __str__(self) -> str:
        return f"{self.pk} of run {self.run_id}"


class Failure(models.Model):
    """A row that failed; the count of them is that of the ranges, for not all are kept."""

    MAX_KEPT: ClassVar = 5000
    """How many of a run, about."""
    MAX_REASON: ClassVar = 1000
    """How many letters of a reason."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="failures")
    part = models.ForeignKey(Range, models.CASCADE, related_name="failures")
    """The range that counts it."""
    row = models.TextField()
    """Its primary key."""
    name = models.TextField()
    reason = models.TextField()

    objects: ClassVar[models.Manager[Failure]] = PrimaryManager()

    def __str__(self) -> str:
        return f"{self.name!r} (row {self.row!r}): {self.reason}"

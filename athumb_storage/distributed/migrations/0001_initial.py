"""The tables of runs."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Run",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("model", models.CharField(max_length=255)),
                ("field", models.CharField(max_length=255)),
                ("database", models.CharField(max_length=255)),
                ("only", models.JSONField(null=True)),
                ("workers", models.PositiveIntegerField(null=True)),
                ("fingerprint", models.CharField(max_length=64)),
                ("backend", models.CharField(max_length=255)),
                ("queue", models.CharField(max_length=255)),
                (
                    "state",
                    models.CharField(
                        choices=[("underway", "Underway"), ("cancelled", "Cancelled"), ("finished", "Finished")],
                        default="underway",
                        max_length=10,
                    ),
                ),
                ("created", models.DateTimeField(default=django.utils.timezone.now)),
                ("started", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Range",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cursor", models.TextField(null=True)),
                ("end", models.TextField(null=True)),
                ("listed", models.JSONField(null=True)),
                ("only", models.JSONField(null=True)),
                ("rows", models.PositiveIntegerField()),
                ("done", models.PositiveIntegerField(default=0)),
                ("generated", models.PositiveIntegerField(default=0)),
                ("failed", models.PositiveIntegerField(default=0)),
                ("owner", models.CharField(blank=True, default="", max_length=32)),
                ("lease", models.DateTimeField(null=True)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("moved", models.DateTimeField(null=True)),
                ("finished", models.BooleanField(default=False)),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="ranges",
                        to="athumb_storage_distributed.run",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["run", "finished", "lease"], name="athumb_range_free")],
            },
        ),
        migrations.CreateModel(
            name="Failure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("row", models.TextField()),
                ("name", models.TextField()),
                ("reason", models.TextField()),
                (
                    "part",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="failures",
                        to="athumb_storage_distributed.range",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="failures",
                        to="athumb_storage_distributed.run",
                    ),
                ),
            ],
        ),
    ]

from django.db import migrations, models

import athumb_storage.fields
import athumb_storage.validators


class Migration(migrations.Migration):
    dependencies = [("gallery", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Showpiece",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=200)),
                (
                    "image_focus",
                    models.CharField(
                        blank=True,
                        max_length=20,
                        validators=[athumb_storage.validators.validate_focal_point],
                        verbose_name="focal point",
                    ),
                ),
                (
                    "image",
                    athumb_storage.fields.ImageWithThumbsField(
                        height_field="height", max_length=255, upload_to="showpieces", width_field="width"
                    ),
                ),
                ("image_placeholder", models.CharField(blank=True, editable=False, max_length=40)),
                ("width", models.PositiveIntegerField(editable=False, null=True)),
                ("height", models.PositiveIntegerField(editable=False, null=True)),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
    ]

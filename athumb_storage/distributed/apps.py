from django.apps import AppConfig


class AthumbStorageDistributedConfig(AppConfig):
    name = "athumb_storage.distributed"
    label = "athumb_storage_distributed"
    verbose_name = "Runs of thumbs"
    default_auto_field = "django.db.models.BigAutoField"

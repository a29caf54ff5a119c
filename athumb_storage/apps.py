from django.apps import AppConfig


class AthumbStorageConfig(AppConfig):
    name = "athumb_storage"
    verbose_name = "Thumbs"

    def ready(self) -> None:
        from athumb_storage import checks, deploy_checks  # noqa: F401, registers them

from django.apps import AppConfig


class AthumbStorageAdminConfig(AppConfig):
    name = "athumb_storage.contrib.admin"
    label = "athumb_storage_admin"
    verbose_name = "Thumbs in the admin"

    def import_models(self) -> None:
        """Give fields with thumbs their widget in every admin.

        Not in `ready`: each admin copies the defaults when it is registered, which django.contrib.admin does in its
        own `ready`, and that may come first.
        """
        super().import_models()
        from django.contrib.admin.options import FORMFIELD_FOR_DBFIELD_DEFAULTS

        from athumb_storage.contrib.admin.widgets import ThumbsFileWidget
        from athumb_storage.fields import ThumbsFieldMixin

        FORMFIELD_FOR_DBFIELD_DEFAULTS[ThumbsFieldMixin] = {"widget": ThumbsFileWidget}

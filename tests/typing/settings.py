SECRET_KEY = "only for types"
INSTALLED_APPS = ["django.contrib.contenttypes", "athumb_storage", "store"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

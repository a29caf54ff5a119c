"""Storages are pickled without their secrets, and find them again where they are unpickled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakSet

from django.utils.crypto import salted_hmac

SECRETS: Final = frozenset(
    {"access_key", "secret_key", "security_token", "session_profile", "proxies", "client_config"}
    | {"cloudfront_key", "cloudfront_key_id", "cloudfront_signer"}
)
"""Options that nobody is to read in a migration or a pickle."""

_PARAMETERS: Final = frozenset({"object_parameters", "thumb_object_parameters"})
_SECRET_PARAMETERS: Final = frozenset({"SSECustomerKey", "SSECustomerKeyMD5", "CopySourceSSECustomerKey"})

_alive: Final[WeakSet[Any]] = WeakSet()


def without_secrets(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that may be written down; an encryption key is left out of the object parameters."""
    return {
        name: _without_keys(value) if name in _PARAMETERS else value
        for name, value in options.items()
        if name not in SECRETS
    }


def _without_keys(parameters: Any) -> Any:
    if not isinstance(parameters, Mapping):
        return parameters
    return {name: value for name, value in parameters.items() if name not in _SECRET_PARAMETERS}


def register_storage(storage: Any) -> None:
    """Let unpickled storages find the secrets of this one, as long as it lives."""
    _alive.add(storage)


def state_without_secrets(storage: Any, state: dict[str, Any]) -> dict[str, Any]:
    """`state` as it may be pickled, with a fingerprint by which the secrets are found again."""
    bare = without_secrets(state)
    args, options = bare["_constructor_args"]  # kept by Django's @deconstructible
    bare["_constructor_args"] = args, without_secrets(options)
    bare["_fingerprint"] = fingerprint(storage)
    return bare


def state_with_secrets(cls: type[Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """What `state_without_secrets` gave, complete again.

    The secrets are those of a storage of this process that is the same. Where there is none, they are what the
    settings of the project say now.
    """
    same = (storage for storage in list(_alive) if fingerprint(storage) == state["_fingerprint"])
    args, options = state["_constructor_args"]
    twin = next(same, None) or cls(*args, **options)
    secrets = {name: getattr(twin, name) for name in SECRETS}
    parameters = {name: {**getattr(twin, name), **state[name]} for name in _PARAMETERS}
    plain = {name: value for name, value in state.items() if name != "_fingerprint"}
    return {**plain, **secrets, **parameters, "_constructor_args": twin._constructor_args}


def fingerprint(storage: Any) -> str:
    """Tells storages with other options apart, and tells nothing about their secrets."""
    public = {name: value for name, value in vars(storage).items() if not name.startswith("_")}
    options: dict[str, Any] = {
        name: value for name, value in public.items() if isinstance(value, str | bytes | int | float | None)
    }
    options |= {f"client {name}": repr(value) for name, value in vars(storage.client_config).items()}
    options |= {name: sorted(getattr(storage, name).items()) for name in _PARAMETERS}
    if not storage.cloudfront_key:  # else the signer is made of it
        options["cloudfront_signer"] = repr(storage.cloudfront_signer)
    return salted_hmac("athumb_storage.pickling", repr(sorted(options.items())), algorithm="sha256").hexdigest()

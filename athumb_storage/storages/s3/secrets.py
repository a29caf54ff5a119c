"""Which options are secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

SECRETS: Final = frozenset(
    {"access_key", "secret_key", "security_token", "session_profile", "proxies", "client_config"}
    | {"cloudfront_key", "cloudfront_key_id", "cloudfront_signer"}
)
"""Options that nobody is to read in a pickle."""

_PARAMETERS: Final = frozenset({"object_parameters", "thumb_object_parameters"})
_SECRET_PARAMETERS: Final = frozenset({"SSECustomerKey", "SSECustomerKeyMD5", "CopySourceSSECustomerKey"})


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

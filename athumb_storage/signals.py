"""Signals: what a project may want to hear of. A receiver that raises stops nothing: its error is logged.

Each is sent as soon as it has happened, with the storage's class as sender, and `storage` and `name`, the original's
final name, among its arguments. Where a transaction is rolled back, what it had stored is removed again.
"""

from __future__ import annotations

from django.dispatch import Signal

thumbs_generated = Signal()
"""Thumbs were stored, by an upload or again. Besides: `keys`, their thumb keys."""

thumbs_failed = Signal()
"""An original was stored without thumbs, as `on_error="skip"` wants it. Besides: `error`, why."""

thumbs_deleted = Signal()
"""Thumbs were deleted, with their original or alone. Besides: `keys`, their thumb keys."""

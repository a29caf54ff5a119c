"""Signals: what a project may want to hear of."""

from __future__ import annotations

from django.dispatch import Signal

thumbs_failed = Signal()
"""An original was stored without thumbs, as `on_error="skip"` wants it.

Sent with the storage's class as sender, and `storage`, `name` (the original's final name) and `error`.
"""

"""The audit: what is stored, reconciled with what the database names and what thumb sets expect."""

from athumb_storage.audit.dueness import due
from athumb_storage.audit.inventory import Inventory
from athumb_storage.audit.pruning import GONE, IN_USE, REMOVED, Pruning, refuse_to_prune
from athumb_storage.audit.reconciling import KINDS, Audit, Finding, Total, audited, stored_at
from athumb_storage.audit.rows import file_columns
from athumb_storage.audit.scope import Scope, has_thumbs

__all__ = [
    "GONE",
    "IN_USE",
    "KINDS",
    "REMOVED",
    "Audit",
    "Finding",
    "Inventory",
    "Pruning",
    "Scope",
    "Total",
    "audited",
    "due",
    "file_columns",
    "has_thumbs",
    "refuse_to_prune",
    "stored_at",
]

"""Regeneration by many machines, on a task engine that the project has. An app of its own, for it has tables."""

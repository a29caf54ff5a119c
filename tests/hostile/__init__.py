"""Hostile input: whatever is uploaded, the answer is a stored set or a clear error, and nothing is left over."""

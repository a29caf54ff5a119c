"""A soak: real web servers take uploads, good and bad, from many clients at once; then every promise is checked."""

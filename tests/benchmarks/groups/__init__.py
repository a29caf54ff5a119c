"""One module per group of measures; each has `measure(context)`, which gives rows, and runs in its own process."""

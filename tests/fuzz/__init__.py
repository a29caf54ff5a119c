"""Fuzzing with atheris: `python -m tests.fuzz --seconds 60`. Needs the extras `test` and `fuzz`."""

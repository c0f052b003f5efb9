"""The figures of `make bench`: each a ratio against a yardstick in the same run."""

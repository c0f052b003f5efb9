"""The partner API, version 2.0."""

"""Faults that can be armed: what exists, what is armed, and how it reaches the wire."""

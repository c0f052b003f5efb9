"""Devices: what they are made of, how they behave, how they look in an answer."""

"""The keys in the return addresses: 256 bits, told to Podero once, here only as a hash.

The cancel address carries the hash of the key in the success address. Whoever opens a hosted form
can see where its "cancel" leads without finishing anything; that must not tell them the success
address, which proves that somebody finished.

A row is looked up by the hash of what an address carries: how long comparing takes tells about that
hash at the most, and nothing about the token.
"""

from __future__ import annotations

import hashlib
import secrets


def fresh_token() -> str:
    return secrets.token_urlsafe(32)


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def cancel_token_of(token: str) -> str:
    return hash_of(token)


def kept_hash_of(token: str) -> str:
    """What the row keeps of the token in its success address."""
    return hash_of(cancel_token_of(token))


def kept_hash_of_cancel(cancel_token: str) -> str:
    """The same, reached from the token in the cancel address."""
    return hash_of(cancel_token)

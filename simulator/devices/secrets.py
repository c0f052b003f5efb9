"""Signed secrets in the links of actions: bound to one cue and one member, valid for an hour."""

from __future__ import annotations

import time

from itsdangerous import BadSignature, URLSafeSerializer

from simulator.runtime import simulator

SALT = "cue"


def issue_secret(cue_id: str, user_id: str) -> str:
    """Return a secret for a link that is shown now."""
    claims = {"cue": cue_id, "member": user_id, "at": time.time()}
    return str(_serializer().dumps(claims))


def is_secret_valid(secret: str, cue_id: str, user_id: str) -> bool:
    """Say whether the secret was issued for this cue and member and is still young enough."""
    try:
        claims = _serializer().loads(secret)
    except BadSignature:
        return False
    age = time.time() - float(claims["at"])
    return (
        claims["cue"] == cue_id
        and claims["member"] == user_id
        and age < simulator().settings.cue_secret_seconds
    )


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(simulator().store.secret_key, salt=SALT)

"""Seals: a keyed digest over facts, so that a row changed behind the app's back is noticed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

_FORM = "1"
_SALT = "onboarding.seal"


class Mark(Enum):
    """What a seal says of the facts beside it."""

    INTACT = "intact"
    CHANGED = "changed"
    KEY_MISSING = "sealed with a key that is not set"


def seal(facts: Mapping[str, Any]) -> str:
    """The seal over `facts` (text, numbers, lists): its form, the key's name, the digest."""
    return _seal(facts, _keys()[0])


def examine(seal: str, facts: Mapping[str, Any]) -> Mark:
    """Hold `facts` against the seal that was put on them."""
    form, _, rest = seal.partition("$")
    key_name = rest.partition("$")[0]
    if form != _FORM or not key_name:
        return Mark.CHANGED
    keys = [key for key in _keys() if constant_time_compare(_name_of(key), key_name)]
    if not keys:
        return Mark.KEY_MISSING
    is_intact = any(constant_time_compare(_seal(facts, key), seal) for key in keys)
    return Mark.INTACT if is_intact else Mark.CHANGED


def _keys() -> list[str]:
    """All keys that vouch for a seal; the first one makes new ones.

    Django's own keys stay good, so that neither a new SECRET_KEY whose forerunner is kept in
    SECRET_KEY_FALLBACKS nor a first CONSENT_KEYS voids what is there.
    """
    return [*settings.CONSENT_KEYS, settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


def _seal(facts: Mapping[str, Any], key: str) -> str:
    told = json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    digest = salted_hmac(_SALT, told, secret=key, algorithm="sha256").hexdigest()
    return f"{_FORM}${_name_of(key)}${digest}"


def _name_of(key: str) -> str:
    """Tells keys apart without telling what they are."""
    return salted_hmac(f"{_SALT}.name", "", secret=key, algorithm="sha256").hexdigest()[:8]

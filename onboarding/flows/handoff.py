"""The portal's signed link: who is at the door, and have they used this link before?"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import unquote

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from onboarding.flows import passes
from onboarding.handoff_keys import algorithm_for
from onboarding.models import PoderoUser, UsedHandoff
from onboarding.podero import zones

logger = logging.getLogger(__name__)

MAX_LIFETIME = timedelta(minutes=5)
CLOCK_TOLERANCE = timedelta(seconds=10)
MAX_TOKEN_LENGTH = 4096
REQUIRED_CLAIMS = ("iss", "aud", "iat", "exp", "jti", "sub", "email")

# ISO 3166, two letters.
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)

Reason = Literal["invalid", "expired", "used", "staff", "not_set_up"]


class UnableToEnter(Exception):
    """The token does not let anybody in.

    `reason` decides the page; `field` names the part of the token that is wrong, for the log.
    `customer_number` is whom the token is about, where its signature is good.
    """

    def __init__(self, reason: Reason, field: str = "") -> None:
        super().__init__(f"{reason} {field}".strip())
        self.reason: Reason = reason
        self.field = field
        self.customer_number = ""


@dataclass(frozen=True)
class Visitor:
    """What a valid token says of the customer.

    `price_zone` is a country where only that is told, and no zone follows from it.
    """

    external_user_id: str
    email: str
    language: str
    price_zone: str
    given_name: str
    family_name: str
    next_path: str


def accept(*, token: str, now: datetime) -> tuple[PoderoUser, Visitor]:
    """The customer whom `token` lets in; using it up and keeping what it says of them.

    Raises UnableToEnter, and then nothing has changed.
    """
    claims = _signed_claims(token)
    try:
        visitor = _visitor_at(claims, now=now)
        with transaction.atomic():
            _use_up(claims)
            customer = _customer(visitor)
    except UnableToEnter as refusal:
        number = claims["sub"]
        refusal.customer_number = number if isinstance(number, str) else ""
        raise
    if not customer.effective_price_zone:
        logger.warning("No price zone is known", extra={"customer": customer.reference})
    return customer, visitor


def examine(*, token: str, now: datetime) -> Visitor:
    """What `accept` would read in `token`, without using it up. Raises UnableToEnter."""
    return _visitor_at(_signed_claims(token), now=now)


def issue(*, visitor: Visitor, now: datetime) -> str:
    """A token such as the portal makes, signed with HANDOFF_SECRET. Raises UnableToEnter."""
    if not settings.HANDOFF_SECRET:
        raise UnableToEnter("not_set_up", "HANDOFF_SECRET")
    claims = {
        "iss": settings.HANDOFF_ISSUER,
        "aud": settings.HANDOFF_AUDIENCE,
        "iat": int(now.timestamp()),
        "exp": int((now + MAX_LIFETIME).timestamp()),
        "jti": secrets.token_urlsafe(16),
        "sub": visitor.external_user_id,
        "email": visitor.email,
        "locale": visitor.language,
        "price_zone": visitor.price_zone,
        "next": visitor.next_path,
    }
    said = {name: value for name, value in claims.items() if value or name in REQUIRED_CLAIMS}
    return jwt.encode(said, settings.HANDOFF_SECRET, algorithm="HS256")


def forget_used(*, now: datetime) -> int:
    """Forget tokens that could not be used again anyway; returns how many."""
    return passes.delete_in_batches(UsedHandoff.objects.filter(expires_at__lt=now))


def _signed_claims(token: str) -> Mapping[str, Any]:
    key, algorithm = _key()
    if not token or len(token) > MAX_TOKEN_LENGTH:
        raise UnableToEnter("invalid", "token")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            issuer=settings.HANDOFF_ISSUER,
            audience=settings.HANDOFF_AUDIENCE,
            # Times are held against `now` later on, which the caller gives.
            options={
                "require": list(REQUIRED_CLAIMS),
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.InvalidTokenError, UnicodeError) as error:
        raise UnableToEnter("invalid", type(error).__name__) from error
    return claims


def _visitor_at(claims: Mapping[str, Any], *, now: datetime) -> Visitor:
    issued_at, ends_at = _moment(claims, "iat"), _moment(claims, "exp")
    if "nbf" in claims and _moment(claims, "nbf") > now.timestamp() + CLOCK_TOLERANCE.seconds:
        raise UnableToEnter("invalid", "nbf")
    if issued_at > now.timestamp() + CLOCK_TOLERANCE.seconds:
        raise UnableToEnter("invalid", "iat")
    if not 0 < ends_at - issued_at <= MAX_LIFETIME.seconds:
        raise UnableToEnter("invalid", "exp")
    if ends_at <= now.timestamp():
        raise UnableToEnter("expired", "exp")
    return _visitor(claims)


def _key() -> tuple[Any, str]:
    """The one key and the one algorithm that it serves, so that neither can be confused."""
    if settings.HANDOFF_SECRET:
        return settings.HANDOFF_SECRET, "HS256"
    if not settings.HANDOFF_PUBLIC_KEY:
        raise UnableToEnter("not_set_up")
    key = load_pem_public_key(settings.HANDOFF_PUBLIC_KEY.encode())
    return key, algorithm_for(key)


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e11:
        raise UnableToEnter("invalid", name)
    return float(value)


def _visitor(claims: Mapping[str, Any]) -> Visitor:
    email = _text(claims, "email", at_most=254)
    try:
        validate_email(email)
    except ValidationError as error:
        raise UnableToEnter("invalid", "email") from error
    return Visitor(
        external_user_id=_text(claims, "sub", at_most=128),
        email=email,
        language=_text(claims, "locale", at_most=35, is_required=False),
        price_zone=_price_zone(claims),
        given_name=_text(claims, "given_name", at_most=150, is_required=False),
        family_name=_text(claims, "family_name", at_most=150, is_required=False),
        next_path=_next_path(claims),
    )


def _text(claims: Mapping[str, Any], name: str, *, at_most: int, is_required: bool = True) -> str:
    value = claims.get(name)
    if value is None and not is_required:
        return ""
    if not isinstance(value, str) or len(value) > at_most or not value.isprintable():
        raise UnableToEnter("invalid", name)
    if is_required and not value.strip():
        raise UnableToEnter("invalid", name)
    return value.strip()


def _price_zone(claims: Mapping[str, Any]) -> str:
    """The zone that the token names; empty when it names none, and the installation's serves.

    A country that does not tell a zone is kept as it is: then none serves, but the customer is in.
    """
    for name in ("price_zone", "country"):
        value = _text(claims, name, at_most=16, is_required=False).upper()
        if not value:
            continue
        # Austria is a zone as well, and the beginning of another.
        is_exact = name == "price_zone" and value in zones.PRICE_ZONES
        if settings.PODERO_PRICE_ZONE.startswith(f"{value}_") and not is_exact:
            return settings.PODERO_PRICE_ZONE
        if zone := zones.price_zone_for(value):
            return zone
        if name == "country" and _COUNTRY.fullmatch(value):
            return value
        raise UnableToEnter("invalid", name)
    return ""


def _next_path(claims: Mapping[str, Any]) -> str:
    path = _text(claims, "next", at_most=500, is_required=False)
    if path and not _is_ours(path):
        raise UnableToEnter("invalid", "next")
    return path


def _is_ours(path: str) -> bool:
    """Whether a browser that is sent to `path` stays under /optimize/."""
    # Browsers take "%2e" for a dot and a backslash for a slash, and climb.
    steps = unquote(path.partition("?")[0].partition("#")[0])
    is_plain = "\\" not in path and "\\" not in steps and steps.isprintable()
    return is_plain and path.startswith("/optimize/") and not {".", ".."} & {*steps.split("/")}


def _use_up(claims: Mapping[str, Any]) -> None:
    jti = _text(claims, "jti", at_most=255)
    digest = hashlib.sha256(f"{claims['iss']}\n{jti}".encode()).hexdigest()
    ends_at = datetime.fromtimestamp(float(claims["exp"]), tz=UTC) + CLOCK_TOLERANCE
    try:
        with transaction.atomic():
            UsedHandoff.objects.create(digest=digest, expires_at=ends_at)
    except IntegrityError as error:
        raise UnableToEnter("used", "jti") from error


def _customer(visitor: Visitor) -> PoderoUser:
    customer = (
        PoderoUser.objects.select_related("account")
        .filter(external_user_id=visitor.external_user_id)
        .first()
    )
    if customer is None:
        customer = _new_customer(visitor)
    account: User = customer.account
    if account.is_staff or account.is_superuser:
        raise UnableToEnter("staff", "sub")
    if not account.is_active:
        raise UnableToEnter("invalid", "sub")
    _keep(visitor, customer, account)
    return customer


def _new_customer(visitor: Visitor) -> PoderoUser:
    try:
        with transaction.atomic():
            account = User(username=f"customer-{secrets.token_hex(8)}", email=visitor.email)
            account.set_unusable_password()
            account.save()
            return PoderoUser.objects.create(
                account=account,
                external_user_id=visitor.external_user_id,
                email=visitor.email,
            )
    except IntegrityError:
        return PoderoUser.objects.select_related("account").get(
            external_user_id=visitor.external_user_id
        )


def _keep(visitor: Visitor, customer: PoderoUser, account: User) -> None:
    """What the portal says now is newer than what we have; what it leaves out stays.

    So does a zone in a country where it tells no more than that.
    """
    is_country = visitor.price_zone not in zones.PRICE_ZONES
    is_zone_known = is_country and customer.price_zone.startswith(f"{visitor.price_zone}_")
    told = {
        "email": visitor.email,
        "language": visitor.language,
        "price_zone": "" if is_zone_known else visitor.price_zone,
    }
    customer.record_portal_data({name: value for name, value in told.items() if value})
    names = {
        "email": visitor.email,
        "first_name": visitor.given_name,
        "last_name": visitor.family_name,
    }
    changed = {n: v for n, v in names.items() if v and v != getattr(account, n)}
    if changed:
        User.objects.filter(pk=account.pk).update(**changed)

"""A request to be sent and the reply that came, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from onboarding.podero import retrying
from onboarding.podero.errors import PoderoError, Refused, UnexpectedReply, class_for
from onboarding.podero.reading import refused_fields
from onboarding.podero.retrying import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. What it says is personal data or a key: only its name is in `repr`.

    is_write: it may change something at Podero, so a lost reply leaves the outcome unknown.
    """

    endpoint: str
    method: str = field(repr=False)
    path: str = field(repr=False)
    authorization: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Mapping[str, object] | None = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    params: Mapping[str, str] | None = field(default=None, repr=False)
    is_write: bool = False

    def authorized(self, authorization: str) -> Call:
        """Return the same call with other credentials."""
        return replace(self, authorization=authorization)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """No usable reply. is_stale: lost on a connection kept from an earlier exchange."""

    code: Code
    cause_name: str
    status: int | None = None
    may_be_sent: bool = True
    retry_after_seconds: float | None = None
    is_stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A complete reply of any status."""

    endpoint: str
    is_write: bool
    status: int
    body: bytes = field(repr=False)
    retry_after_seconds: float | None = None

    @property
    def code(self) -> Code | None:
        """None for success."""
        return retrying.code_for_status(self.status)

    @property
    def is_success(self) -> bool:
        """True for 2xx."""
        return self.code is None

    def content(self) -> object:
        """Return the parsed JSON; None when it is none, which is as useless as a null."""
        try:
            parsed: object = json.loads(self.body, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return None
        return parsed

    def refusal(self) -> PoderoError:
        """Return the error that the status of an unsuccessful reply means."""
        code = self.code or Code.UNEXPECTED_REPLY
        error = class_for(code)(
            self.endpoint,
            code,
            self.status,
            is_outcome_unknown=self.is_write and code in (Code.SERVER_ERROR, Code.UNEXPECTED_REPLY),
            retry_after_seconds=self.retry_after_seconds,
        )
        if isinstance(error, Refused):
            error.fields = refused_fields(self.content())
        return error

    def unexpected(self, field_name: str = "") -> UnexpectedReply:
        """Return the error for a successful reply whose content cannot be used."""
        return UnexpectedReply(
            self.endpoint,
            status=self.status,
            is_outcome_unknown=self.is_write,
            field=field_name,
        )


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")

"""Onboarding sessions, the hosted form. Source: api-reference/device-onboarding-sessions."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from uuid import UUID

from onboarding.podero.calls import Calls, read
from onboarding.podero.device_types import DeviceType
from onboarding.podero.exchange import Reply
from onboarding.podero.parsing import hosted_session_from
from onboarding.podero.reading import fields_of, refused_fields
from onboarding.podero.replies import HostedSession

_DEVICE_TYPE: Final = "device_type"


class SessionCalls:
    """The part of the client that deals with onboarding sessions."""

    _calls: Calls

    def create_onboarding_session(
        self,
        *,
        user_id: UUID,
        language: str,
        price_zone: str,
        is_smart_optimization_active: bool,
        success_url: str,
        cancel_url: str,
        device_type: DeviceType | None = None,
    ) -> HostedSession:
        """Create a session for one attempt and return it with its checked address.

        language, price_zone: of `LANGUAGES` and `PRICE_ZONES`. Raises UnexpectedReply when the
        address is missing or not on a listed host, or the session belongs to another user.
        Source: .../create-a-new-device-onboarding-session.
        """
        body: dict[str, object] = {
            "user_id": str(user_id),
            "language": language,
            "price_zone_default": price_zone,
            "is_smart_optimization_active_default": is_smart_optimization_active,
            "success_url": success_url,
            "cancel_url": cancel_url,
        }
        # The stored documentation shows the values of this field but not its name, so we do
        # without the preselection rather than without the session.
        reply = self._posted(body if device_type is None else {**body, _DEVICE_TYPE: device_type})
        if device_type is not None and _is_about_device_type(reply):
            reply = self._posted(body)
        if not reply.is_success:
            raise reply.refusal()
        session = read(reply, hosted_session_from)
        if session.user_id not in (None, user_id):
            raise reply.unexpected("user")
        address = session.authentication_url
        if address is None or not self._calls.connect_hosts.is_allowed(address):
            raise reply.unexpected("authentication_url")
        return session

    def get_onboarding_session(self, session_id: UUID) -> HostedSession:
        """Return a session as it is now; its address only if it could be opened.

        Raises NotFound, perhaps also for an expired one.
        Source: .../get-device-onboarding-session.
        """
        path = f"/device-onboarding/{session_id}"
        reply = self._calls.send("get_onboarding_session", "GET", path)
        session = read(reply, hosted_session_from)
        if session.id != session_id:
            raise reply.unexpected("id")
        address = session.authentication_url
        if address is not None and not self._calls.connect_hosts.is_allowed(address):
            return replace(session, authentication_url=None)
        return session

    def _posted(self, body: dict[str, object]) -> Reply:
        return self._calls.send(
            "create_onboarding_session",
            "POST",
            "/device-onboarding",
            json=body,
            also_accept={400, 422},
        )


def _is_about_device_type(reply: Reply) -> bool:
    if reply.is_success:
        return False
    content = reply.content()
    detail = fields_of(content).get("detail")
    return _DEVICE_TYPE in refused_fields(content) or (
        isinstance(detail, str) and _DEVICE_TYPE in detail
    )

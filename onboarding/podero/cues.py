"""Cues: pending actions of a customer about a device. Source: api-reference/cues.

Note the camelCase of the first body, unlike the rest of the API.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from onboarding.podero.calls import Calls, read
from onboarding.podero.parsing import redirect_url_from
from onboarding.podero.reading import uuid_of
from onboarding.podero.replies import Action, Cue

REAUTHENTICATE: Final = "reauthenticate"
_SECRET: Final = re.compile(r"[!-~]{1,2000}")


class CueCalls:
    """The part of the client that deals with cues."""

    _calls: Calls

    def cue_of(self, action: Action) -> Cue | None:
        """Return the cue that an action's link leads to; None when it cannot be trusted or read.

        The link must be on the API's own host, over https (http on this machine only). It is only
        read, never opened: calls go to the configured address.
        """
        if action.url is None or not self._calls.is_own_address(action.url):
            return None
        parts = urlsplit(action.url)
        segments = parts.path.split("/")
        after = [segments[n + 1] for n, name in enumerate(segments[:-1]) if name == "cues"]
        secrets = [value for name, value in parse_qsl(parts.query) if name == "secret"]
        cue_id = uuid_of(after[0]) if len(after) == 1 else None
        if cue_id is None or len(secrets) != 1 or not _SECRET.fullmatch(secrets[0]):
            return None
        return Cue(id=cue_id, secret=secrets[0])

    def resolve_cue(self, cue: Cue, *, success_url: str, cancel_url: str, language: str) -> str:
        """Start a pending sign-in; return the checked address to send the customer to.

        Raises UnexpectedReply when it is missing or not on a listed host; which refusal a secret
        that has run out gets is not documented. Source: .../start-a-pending-action.
        """
        reply = self._calls.send(
            "resolve_cue",
            "POST",
            f"/cues/{cue.id}/resolve",
            params={"secret": cue.secret},
            json={"successUrl": success_url, "cancelUrl": cancel_url, "language": language},
        )
        address = read(reply, redirect_url_from)
        if not self._calls.connect_hosts.is_allowed(address):
            raise reply.unexpected("redirect_url")
        return address

    def report_cue(self, cue: Cue, *, is_success: bool) -> bool:
        """Report how a sign-in that was started has ended; False when Podero knows it as ended.

        Source: .../report-the-outcome-of-an-active-action.
        """
        reply = self._calls.send(
            "report_cue",
            "POST",
            f"/cues/{cue.id}/state",
            params={"secret": cue.secret},
            json={"state": "success" if is_success else "fail"},
            also_accept={404},
        )
        return reply.is_success


def reauthentication_of(actions: tuple[Action, ...]) -> Action | None:
    """The first action that asks the customer to sign in again; unknown codes are passed over."""
    return next((action for action in actions if action.code == REAUTHENTICATE), None)

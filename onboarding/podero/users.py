"""End users. Source: api-reference/users, partner-api/getting-started/create-user."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from onboarding.podero.calls import Calls, path_segment, read
from onboarding.podero.errors import UnexpectedReply
from onboarding.podero.parsing import user_from, users_from
from onboarding.podero.replies import User
from onboarding.podero.retrying import ReplyTooLarge

# Letters that no proxy or framework decodes, splits at or normalizes away in a path.
_SAFE_IN_PATH: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~-]+", re.ASCII)
# Letters of which a quoted path may make others; the rest of those that need quotes seldom suffer.
_LOST_IN_PATH: Final = re.compile(r"\.{1,2}|.*[/\\%;?#+\x00-\x1f\x7f].*", re.DOTALL)


class UserCalls:
    """The part of the client that deals with users."""

    _calls: Calls

    def create_user(self, *, email: str, external_user_id: str) -> User:
        """Create an end user (role "user").

        Not safe to repeat blindly: there is no idempotency key. Raises Refused for a duplicate
        (the status is undocumented), UnexpectedReply if the user is somebody else's.
        """
        body = {"role": "user", "email": email, "external_user_id": external_user_id}
        reply = self._calls.send("create_user", "POST", f"{self._calls.org_path}/users", json=body)
        user = read(reply, user_from)
        if user.external_user_id not in (None, external_user_id):
            raise reply.unexpected("external_user_id")
        return user

    def find_user_by_external_id(self, external_user_id: str) -> User | None:
        """Return the user with this id of ours; None when Podero has none.

        Ids with characters that a path may lose are looked for in the list as well; where that is
        too large to be read, only ids with / \\ % ; ? # + or a control character depend on it.
        Raises UnexpectedReply when the reply names another id, ValueError for an empty one.
        Source: api-reference/users/get-details-about-an-user-by-external-id.
        """
        if not external_user_id:
            raise ValueError("external_user_id is empty")
        endpoint = "find_user_by_external_id"
        is_safe = _SAFE_IN_PATH.fullmatch(external_user_id) is not None
        if external_user_id not in (".", ".."):  # such a segment would be resolved, not sent
            path = f"{self._calls.org_path}/users/by-ext-id/{path_segment(external_user_id)}"
            reply = self._calls.send(endpoint, "GET", path, also_accept={404})
            if reply.is_success:
                user = read(reply, user_from)
                if user.external_user_id not in (None, external_user_id):
                    raise reply.unexpected("external_user_id")
                return user
        if is_safe:
            return None
        try:
            users = self._users(endpoint, include_deleted=False)
        except UnexpectedReply as error:
            is_too_large = error.cause_name == ReplyTooLarge.__name__
            if not is_too_large or _LOST_IN_PATH.fullmatch(external_user_id):
                raise
            return None
        return next((user for user in users if user.external_user_id == external_user_id), None)

    def list_users(self, *, include_deleted: bool = False) -> list[User]:
        """Return all users of the organisation: a bare array, without pages or filters.

        Source: api-reference/users/list-users-in-the-organization.
        """
        return self._users("list_users", include_deleted=include_deleted)

    def get_user(self, user_id: UUID) -> User:
        """Return one user. Raises NotFound."""
        path = f"{self._calls.org_path}/users/{user_id}"
        reply = self._calls.send("get_user", "GET", path)
        user = read(reply, user_from)
        if user.id != user_id:
            raise reply.unexpected("id")
        return user

    def delete_user(self, user_id: UUID) -> None:
        """Remove a user; cannot be undone. Raises NotFound, for one that is gone already or not.

        Path and method are inferred; what becomes of the devices is not documented.
        Source: partner-api/user-journeys/back-office/team-administration.
        """
        path = f"{self._calls.org_path}/users/{user_id}"
        self._calls.send("delete_user", "DELETE", path)

    def _users(self, endpoint: str, *, include_deleted: bool) -> list[User]:
        params = {"include_deleted": "true"} if include_deleted else None
        path = f"{self._calls.org_path}/users"
        return read(self._calls.send(endpoint, "GET", path, params=params), users_from)

"""Sessions in the database in which two tabs of a browser lose nothing that either remembers.

Django writes a session as a whole when a request ends, as it was when that began: over what another
tab has written while this one waited for Podero.
"""

from __future__ import annotations

from typing import TypeVar

from django.contrib.sessions.backends import db
from django.db import router, transaction

LEFT_WITH, TRIED_WITH, CAME_BACK_WITH = "left_with", "tried_with", "came_back_with"
REMEMBERED = 20
"""How many attempts, the newest, each of these lists or mappings holds."""

Memory = TypeVar("Memory", list[str], dict[str, str])


class SessionStore(db.SessionStore):
    """What a browser remembers of attempts is added to what is in the database by now."""

    def save(self, must_create: bool = False) -> None:
        if must_create or self.session_key is None:
            super().save(must_create)
            return
        with transaction.atomic(using=router.db_for_write(self.model)):
            rows = self.model.objects.select_for_update().filter(pk=self.session_key)
            # None where somebody has signed in or out meanwhile: then Django refuses to write.
            for row in rows:
                stored = row.get_decoded()
                for name in {LEFT_WITH, TRIED_WITH, CAME_BACK_WITH} & stored.keys():
                    self[name] = both(stored[name], self.get(name, type(stored[name])()))
            super().save()


def both(stored: Memory, own: Memory) -> Memory:
    """What either holds, each once; the newest last, and no more of them than are remembered."""
    if isinstance(stored, dict):
        others = {key: value for key, value in stored.items() if key not in own}
        return dict(list({**others, **own}.items())[-REMEMBERED:])
    return list(dict.fromkeys([*stored, *own]))[-REMEMBERED:]

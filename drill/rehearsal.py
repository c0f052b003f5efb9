"""A small scripted drill: each guard met once, in a minute or less: `python -m drill.rehearsal`.

One web process on SQLite, `manage.py sweep` for the rest, and no chance anywhere: every fault is
armed for the very call it is meant for. What the audit says of the app as it is must be nothing;
`drill.planted` shows that it speaks up when a guard is taken away.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from drill import report
from drill.audit import Breach
from drill.browser import Page
from drill.clock import TOLERANCE, Clock
from drill.customers import Customer, World, world_of
from drill.examine import examine
from drill.installation import Installation, Watch, embedded
from drill.plan import DAY
from drill.saboteur import Outages
from drill.settle import settle
from tests.simulator.launch import RunningSimulator, start_simulator

Scene = Callable[[Customer, Installation], None]


def _sent(customer: Customer) -> str:
    """Opt in on a good day: the hosted session."""
    customer.enter()
    return customer.session_in(customer.press(customer.consent_form(), is_consent=True))


def finished_elsewhere(customer: Customer, _app: Installation) -> None:
    """Comes back in another browser and never says that the device is theirs."""
    session = _sent(customer)
    phone = customer.new_browser()
    customer.come_back(customer.finish(session), session, browser=phone, is_same=False)


def finished_on_their_own_phone(customer: Customer, _app: Installation) -> None:
    """Comes back in another browser in which they are signed in, and says nothing there."""
    session = _sent(customer)
    phone = customer.new_browser()
    customer.enter(browser=phone)
    customer.come_back(customer.finish(session), session, browser=phone, is_same=False)


def never_came_back(customer: Customer, _app: Installation) -> None:
    """Links a device and is never seen again."""
    customer.finish(_sent(customer))


def answer_lost(customer: Customer, _app: Installation) -> None:
    """Podero makes the user, but its answer is lost; the second try must look first."""
    customer.enter()
    customer.world.control.arm("create_user", "reset_after")
    page = customer.follow(customer.press(customer.consent_form(), is_consent=True))
    form = page.form(r"/continue/$")
    assert form is not None  # noqa: S101
    session = customer.session_in(customer.press(form, is_consent=False))
    customer.come_back(customer.finish(session), session)


def double_click(customer: Customer, _app: Installation) -> None:
    """Known to Podero already, presses twice while Podero takes its time."""
    _sent(customer)
    form = customer.consent_form()
    control, pages = customer.world.control, list[Page]()
    control.settings(latency_ms=400)
    tab = customer.browser.second_tab()
    presses = [
        threading.Thread(
            target=lambda: pages.append(customer.press(form, is_consent=True, browser=tab))
        ),
        threading.Thread(target=lambda: pages.append(customer.press(form, is_consent=True))),
    ]
    for press in presses:
        press.start()
    for press in presses:
        press.join()
    control.settings(latency_ms=0)
    session = next(filter(None, map(customer.session_in, pages)))
    customer.come_back(customer.finish(session), session)


def leaves_midway(customer: Customer, _app: Installation) -> None:
    """Withdraws while the form is open."""
    _sent(customer)
    customer.withdraw()


def leaves_and_finishes(customer: Customer, _app: Installation) -> None:
    """Withdraws, then finishes the form all the same."""
    session = _sent(customer)
    customer.withdraw()
    customer.come_back(customer.finish(session), session)


def leaves_while_podero_is_away(customer: Customer, app: Installation) -> None:
    """Has a device optimized, and withdraws when Podero does not answer."""
    session = _sent(customer)
    customer.come_back(customer.finish(session), session)
    customer.world.control.arm("*", "http_503", count=-1)
    customer.withdraw()
    app.sweep()


def leaves_and_podero_is_mistaken(customer: Customer, app: Installation) -> None:
    """Has a device optimized, and withdraws when Podero says, once, that there is no such thing."""
    session = _sent(customer)
    customer.come_back(customer.finish(session), session)
    customer.world.control.arm("update_device", "http_404")
    # Removed, it would be off all the same.
    customer.world.control.settings(device_delete_status=405, user_delete_status=405)
    customer.withdraw()
    app.sweep()


def cancels(customer: Customer, _app: Installation) -> None:
    """Cancels, and leaves it at that."""
    session = _sent(customer)
    customer.come_back(customer.cancel(session), session)


def back_and_forth(customer: Customer, _app: Installation) -> None:
    """Cancels, continues afresh and finishes."""
    session = _sent(customer)
    page = customer.come_back(customer.cancel(session), session)
    form = page.form(r"/continue/$")
    assert form is not None  # noqa: S101
    again = customer.session_in(customer.press(form, is_consent=False))
    customer.come_back(customer.finish(again), again)


def late_cancel(customer: Customer, _app: Installation) -> None:
    """Looks at the cancel button's address, finishes instead, and opens it once all is linked."""
    session = _sent(customer)
    way_out = customer.cancel(session)
    customer.come_back(customer.finish(session), session)
    customer.come_back(way_out, session)


def nothing_linked(customer: Customer, _app: Installation) -> None:
    """Is led back with the id of a device that does not exist."""
    session = _sent(customer)
    customer.world.control.arm("hosted_form", "return_forged_nothing_linked")
    customer.come_back(customer.finish(session), session)


def somebody_else_comes_back(customer: Customer, _app: Installation) -> None:
    """Sends the form to a friend, who finishes it and comes back signed in as themselves."""
    session = _sent(customer)
    friend = Customer(customer.world, customer.world.new_person("friend"), customer.rng)
    friend.enter()
    friend.ask("GET", customer.finish(session))


def never_opened(customer: Customer, _app: Installation) -> None:
    """Podero is away when they opt in, and they do not try again."""
    customer.enter()
    customer.world.control.arm("*", "http_503", count=-1)
    customer.press(customer.consent_form(), is_consent=True)


def form_leads_elsewhere(customer: Customer, _app: Installation) -> None:
    """Podero names an address on another host."""
    customer.enter()
    customer.world.control.arm("create_session", "foreign_authentication_url")
    customer.press(customer.consent_form(), is_consent=True)


def confirmed_by_hand(customer: Customer, _app: Installation) -> None:
    """Finishes on another phone and says that the device is theirs."""
    session = _sent(customer)
    phone = customer.new_browser()
    customer.come_back(customer.finish(session), session, browser=phone, is_same=False)
    customer.confirm_devices(browser=phone)


def pauses(customer: Customer, _app: Installation) -> None:
    """Has a device optimized, and pauses it."""
    session = _sent(customer)
    customer.come_back(customer.finish(session), session)
    assert customer.press_on_card("pause")  # noqa: S101


def removes(customer: Customer, _app: Installation) -> None:
    """Has a device optimized, and removes it when Podero says, once, that there is no such thing."""
    session = _sent(customer)
    customer.come_back(customer.finish(session), session)
    customer.world.control.arm("delete_device", "http_404")
    assert customer.press_on_card("remove")  # noqa: S101


SCENES: tuple[Scene, ...] = (
    finished_elsewhere,
    finished_on_their_own_phone,
    never_came_back,
    answer_lost,
    double_click,
    leaves_midway,
    leaves_and_finishes,
    leaves_while_podero_is_away,
    cancels,
    back_and_forth,
    late_cancel,
    nothing_linked,
    somebody_else_comes_back,
    never_opened,
    form_leads_elsewhere,
    confirmed_by_hand,
    pauses,
    removes,
    leaves_and_podero_is_mistaken,
)


def rehearse(folder: Path, stack: ExitStack) -> list[Breach]:
    """Play all scenes, settle, audit."""
    clock = Clock(folder / "clock")
    simulator = start_simulator(env=clock.environment())
    stack.callback(simulator.stop)
    app = embedded(folder, simulator=simulator, clock=clock, name="rehearsal", is_web_only=True)
    stack.callback(app.stop)
    app.start()
    watch = Watch([app])
    watch.start()
    stack.callback(watch.stop)
    world = world_of(app, simulator, seed=0)
    world.patience_seconds = 4.0
    found = play(app, world, simulator)
    left = settle(app, seconds=60)
    if left:
        found.append(Breach("not settled", app.name, str(left)))
    watch.stop()
    outages = Outages()
    return found + examine(
        app, world, simulator, watch=watch, outages=outages, excuses=()
    ).found  # fmt: skip


def play(app: Installation, world: World, simulator: RunningSimulator) -> list[Breach]:
    """Play the scenes one after another; one that cannot be played to its end is a breach."""
    simulator.control.settings(duplicates_allowed=True)
    found = []
    for scene in SCENES:
        customer = Customer(world, world.new_person(scene.__name__), random.Random(0))
        try:
            scene(customer, app)
        except Exception as error:  # noqa: BLE001  (with a planted bug anything may happen)
            found.append(Breach("scene", scene.__name__, repr(error)[:200]))
        simulator.control.clear_faults()
        customer.hang_up()
    # So that the audit can tell what was before from what comes after.
    time.sleep(TOLERANCE)
    app.clock.move(DAY)
    return found


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="rehearsal-"))
    try:
        with ExitStack() as stack:
            found = rehearse(folder, stack)
    finally:
        if "--keep" not in sys.argv:
            shutil.rmtree(folder, ignore_errors=True)
    report.breaches(found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""The cases of docs/cases.md. A new case is a new entry here, and then `make cases`.

`test` is the id of the test that plays the case. What is recorded begins with the first request to
`address`, a pattern; without one all of the test counts. `guards` names entries of
`scripts/guards.py`: the test has to fail when one of them is taken away.
"""

from __future__ import annotations

from dataclasses import dataclass

RETURN = r"/optimize/return/"
ENTER = r"/enter/"
CONSENT = r"/optimize/consent/"
RECEIPT = r"/optimize/consents/"
STOP = r"/optimize/reminders/"
CONTINUE = r".*/continue/"
DEVICES = r"/optimize/devices/"
CONFIRM = r".*/confirm/"
PAUSE, RESUME = r".*/pause/", r".*/resume/"
CHARGE = r".*/charge/"
RECONNECT = r".*/reconnect/"
RECONNECTED = r"/optimize/devices/return/"
REMOVE = r".*/remove/"
LEAVE = r"/optimize/leave/"
REASON = r"/optimize/leave/reason/"
ANYWHERE = r"/"
JOB = ""

COMING_BACK = "tests/journeys/test_coming_back.py::"
PROOF = "tests/journeys/test_proof_of_return.py::"
WAY_BACK = "tests/journeys/test_way_back.py::"
UNKNOWN = "tests/journeys/test_unknown_answers.py::"
STEERING = "tests/journeys/test_steering.py::"
PAUSING = "tests/journeys/test_pausing.py::"
CHARGING = "tests/journeys/test_charging.py::"
MY_DEVICES = "tests/journeys/test_my_devices.py::"
RECONNECTING = "tests/journeys/reconnecting/"
REMOVAL = "tests/journeys/test_removal.py::"
LEAVING = "tests/journeys/test_leaving.py::"
LEAVING_PAGES = "tests/views/test_leaving.py::"
REMINDING = "tests/journeys/test_reminding.py::"
REMINDERS = "tests/flows/test_reminders.py::"
NEW_VERSION = "tests/journeys/test_new_version.py::"
EVIDENCE = "tests/flows/test_evidence.py::"
RECEIPTS = "tests/views/test_receipts.py::"
PAGES = "tests/views/test_pages.py::"
ENTERING = "tests/views/test_enter.py::"
BENT = "tests/hostile/test_tokens.py::test_bent_token_gets_a_page_and_changes_nothing"
TOKENS = "tests/hostile/test_tokens.py::"
SESSIONS = "tests/hostile/test_sessions.py::"
THROTTLES = "tests/hostile/test_throttles.py::"
WORDS = "tests/hostile/test_words.py::"
BAD_TOKEN = ENTERING + "test_bad_token_gets_a_page_and_changes_nothing"


@dataclass(frozen=True)
class Case:
    """One row of the table, without what is recorded of it."""

    section: str
    name: str
    test: str
    address: str
    guards: tuple[str, ...]


def _cases(section: str, *cases: tuple[str, str, str, tuple[str, ...]]) -> tuple[Case, ...]:
    return tuple(Case(section, *case) for case in cases)


CASES = (
    *_cases(
        "Coming back",
        ("the browser that left", COMING_BACK + "test_same_browser_links_and_optimizes", RETURN,
         ("return: the browser that left is known",)),
        ("before anybody came back", COMING_BACK + "test_optimization_is_off_until_the_return", JOB,
         ("return: nothing is optimized before it",)),
        ("the same customer on another phone",
         COMING_BACK + "test_other_browser_of_the_same_customer_is_asked_first", RETURN,
         ("return: same browser",)),
        ("signed out", PROOF + "test_return_in_a_foreign_browser_changes_a_time_and_a_line[nobody-return_seen-/sign-in/]",
         RETURN, ("ownership: the return's customer",)),
        ("signed out, then signed in there",
         COMING_BACK + "test_signed_out_browser_changes_nothing_and_carries_on_after_signing_in", RETURN,
         ("return: signing in takes it up",)),
        ("another customer signed in",
         PROOF + "test_return_in_a_foreign_browser_changes_a_time_and_a_line[another customer-return_seen_by_other-/optimize/return/other-customer/]",
         RETURN, ("ownership: the return's customer",)),
        ("staff signed in",
         PROOF + "test_return_in_a_foreign_browser_changes_a_time_and_a_line[staff-return_seen_by_other-/optimize/return/other-customer/]",
         RETURN, ("ownership: the return's customer",)),
        ("unknown token, success", COMING_BACK + "test_unknown_token_has_a_page_of_its_own[success]", RETURN,
         ("return: an unknown success token is said",)),
        ("unknown token, cancel", COMING_BACK + "test_unknown_token_has_a_page_of_its_own[cancel]", RETURN,
         ("return: an unknown cancel token is said",)),
        ("used token, reload", WAY_BACK + "test_reload_of_a_used_way_back_asks_podero_nothing", RETURN,
         ("return: only what is under way is asked about",)),
        ("token of an expired attempt", WAY_BACK + "test_way_back_of_an_expired_attempt_still_links", RETURN,
         ("return: late truth wins over running out",)),
        ("late success after a cancel", COMING_BACK + "test_late_success_overrides_cancel", RETURN,
         ("return: late truth wins over a cancel",)),
        ("late cancel after success", COMING_BACK + "test_late_cancel_never_undoes_linked", RETURN,
         ("return: a late cancel undoes nothing",)),
        ("token of cancel on success", PROOF + "test_key_to_cancel_does_not_open_success", RETURN,
         ("return: cancel has a key of its own",)),
    ),
    *_cases(
        "What the way back says of the device",
        ("deviceId missing", COMING_BACK + "test_malformed_device_id_is_no_obstacle[]", RETURN,
         ("return: what is no id is none",)),
        ("deviceId malformed", COMING_BACK + "test_malformed_device_id_is_no_obstacle[not-a-uuid]", RETURN,
         ("return: what is no id is none",)),
        ("deviceId that Podero does not know", WAY_BACK + "test_unknown_device_is_waited_for_in_plain_words", RETURN,
         ("return: only the API makes it linked",)),
        ("deviceId that Podero refuses to show",
         UNKNOWN + "test_made_up_device_that_podero_refuses_to_show_is_no_obstacle[http_403]", RETURN,
         ("return: a refused id is no answer",)),
        ("device of another Podero user", COMING_BACK + "test_device_of_another_podero_user_is_not_taken", RETURN,
         ("return: only the API makes it linked",)),
        ("device on record for another customer",
         "tests/hostile/test_guards.py::test_device_on_record_for_another_customer_is_not_taken_over", JOB,
         ("return: device of another customer",)),
        ("device that was linked already",
         WAY_BACK + "test_device_that_was_linked_before_is_found_again_and_kept_once", RETURN,
         ("return: a known device goes with its new attempt",)),
        ("device of another type than chosen",
         WAY_BACK + "test_device_of_another_type_than_chosen_is_found_and_linked", RETURN,
         ("return: the chosen type is a hint",)),
        ("device that no return named", STEERING + "test_device_that_no_return_named_turns_up_and_waits_for_the_customer",
         RETURN, ("return: what no return named waits for a word",)),
        ("device that Podero steers and nobody has confirmed",
         STEERING + "test_device_steered_from_the_start_is_switched_off_until_it_is_confirmed", CONSENT,
         ("unconfirmed: what Podero steers is switched off",)),
        ("word for a device with which a foreign browser came back",
         PROOF + "test_word_is_not_enough_after_somebody_came_back_elsewhere[after_return]", CONFIRM,
         ("return: another browser's return bars a mere word",)),
        ("the same, activated from the start",
         PROOF + "test_word_is_not_enough_after_somebody_came_back_elsewhere[immediately]", CONFIRM,
         ("return: another browser's return bars a mere word",)),
        ("word that was given before the foreign browser came back",
         PROOF + "test_word_given_before_the_foreign_return_is_taken_back[immediately]", RETURN,
         ("return: an earlier word is taken back",)),
    ),
    *_cases(
        "What browsers, scanners and networks do to a return",
        ("prefetch by the customer's browser",
         PROOF + "test_guess_of_a_browser_or_scanner_acts_not_and_leaves_no_line[success-get-headers1-503-the customer]",
         RETURN, ("return: prefetching acts not",)),
        ("HEAD of a scanner", COMING_BACK + "test_prefetch_by_head_acts_not", RETURN,
         ("return: HEAD acts not",)),
        ("scanner that comes again and again",
         COMING_BACK + "test_scanner_that_opens_the_return_again_and_again_leaves_one_line", RETURN,
         ("return: a stranger is noted once a minute",)),
        ("two returns at once", "tests/races/test_races.py::test_returns_at_once_verify_once", RETURN,
         ("claim: one process at a time",)),
        ("killed during verification", WAY_BACK + "test_killed_during_verification_is_taken_over", RETURN,
         ("claim: what a killed process held is taken over",)),
        ("Podero away after the return", COMING_BACK + "test_podero_away_after_the_return_is_waited_out", RETURN,
         ("return: a check that failed is planned again",)),
        ("form left open for good", COMING_BACK + "test_form_without_a_device_expires_after_a_last_look", CONSENT,
         ("return: a form that ran out is looked up and ended",)),
    ),
    *_cases(
        "Consent",
        ("both boxes begin unticked", PAGES + "test_consent_boxes_are_not_ticked", CONSENT,
         ("consent: unticked",)),
        ("one box left unticked",
         PAGES + "test_consent_without_both_ticks_is_asked_again_and_nothing_is_kept[allows_control]", CONSENT,
         ("consent: control is asked for",)),
        ("words changed while the page was open",
         PAGES + "test_consent_is_to_the_words_that_were_shown_or_asked_again[words0]", CONSENT,
         ("consent: to the words on the page",)),
        ("reminder is a choice of its own", REMINDING + "test_reminder_is_offered_unticked_and_beside_the_others",
         CONSENT, ("consent: the reminder is offered where it can be sent",)),
        ("what stands beside the boxes is kept", RECEIPTS + "test_what_stands_beside_the_boxes_is_kept_with_the_words",
         CONSENT, ("consent: the sentences beside the boxes count",)),
        ("a choice changed in the database", EVIDENCE + "test_any_change_is_detected[consent-columns0]", JOB,
         ("seal: over the facts",)),
        ("words changed in the database", EVIDENCE + "test_any_change_is_detected[consenttext-columns6]", JOB,
         ("seal: over the words, twice",)),
        ("`manage.py verify_consents` after a change",
         EVIDENCE + "test_command_names_what_was_changed_and_fails", JOB, ("seal: over the facts",)),
        ("the mark in the admin", EVIDENCE + "test_support_sees_the_words_and_the_mark", r"/admin/",
         ("seal: shown to staff",)),
        ("a consent is saved again", EVIDENCE + "test_evidence_is_neither_edited_nor_removed_by_the_way[update_or_create-consent]",
         JOB, ("seal: rows are not edited",)),
        ("a line of the timeline is updated",
         EVIDENCE + "test_evidence_is_neither_edited_nor_removed_by_the_way[update-timeline]", JOB,
         ("timeline: only added to",)),
        ("receipt", RECEIPTS + "test_receipt_shows_words_choices_version_and_the_customers_own_time", RECEIPT,
         ("receipt: tells the choices",)),
        ("receipt whose words were changed", RECEIPTS + "test_words_that_were_changed_are_not_put_into_a_page", RECEIPT,
         ("receipt: nothing that was changed is shown",)),
        ("receipt of another customer", RECEIPTS + "test_receipt_of_another_customer_is_not_found", RECEIPT,
         ("ownership: receipts",)),
        ("receipt by mail", RECEIPTS + "test_receipt_is_mailed_once_and_after_the_request", CONSENT,
         ("receipt: mailed",)),
        ("meaning has changed since",
         NEW_VERSION + "test_attempt_under_an_older_meaning_is_not_continued_without_agreeing_anew[False]", CONTINUE,
         ("consent: a new meaning is asked about",)),
        ("a letter was corrected since", NEW_VERSION + "test_corrected_letter_asks_nobody_again", CONTINUE,
         ("consent: a corrected letter is not",)),
    ),
    *_cases(
        "The one reminder",
        ("asked for, unfinished for a day",
         REMINDERS + "test_unfinished_attempt_is_reminded_of_once_after_a_day[open]", JOB,
         ("reminder: a day later", "reminder: never twice")),
        ("not asked for", REMINDERS + "test_nobody_is_reminded_who_did_not_ask", JOB, ("reminder: only if asked for",)),
        ("linked meanwhile", REMINDERS + "test_reminder_that_has_become_pointless_is_dropped[linked]", JOB,
         ("reminder: not about what is over",)),
        ("left meanwhile", REMINDERS + "test_reminder_that_has_become_pointless_is_dropped[withdrew_after_it_ran_out]", JOB,
         ("reminder: not after leaving",)),
        ("what the mail carries", REMINDING + "test_reminder_holds_no_key_and_no_address_of_podero", CONSENT,
         ("reminder: leads to our own page",)),
        ("scanner that follows its links", REMINDING + "test_scanner_that_follows_every_link_changes_nothing", STOP,
         ("reminder: stopping is a POST",)),
        ("one click of the mail program", REMINDING + "test_mail_program_unsubscribes_with_one_click", STOP,
         ("reminder: one click without a cookie",)),
        ("address to stop cut short", REMINDING + "test_address_to_stop_that_is_not_complete_says_what_to_do[get]", STOP,
         ("reminder: a token is signed",)),
        ("sent by two workers", REMINDERS + "test_two_workers_send_one_reminder", JOB, ("reminder: by one worker",)),
    ),
    *_cases(
        "My devices",
        ("opened while Podero hangs", MY_DEVICES + "test_opening_the_page_never_waits_for_podero", DEVICES,
         ("devices: opening asks nobody",)),
        ("Podero away", MY_DEVICES + "test_podero_away_leaves_what_is_known_with_its_age", DEVICES,
         ("devices: what is known stays",)),
        ("\"Look again\"", MY_DEVICES + "test_looking_again_asks_podero_in_the_same_request", r".*/look/",
         ("devices: looking again asks",)),
        ("savings", MY_DEVICES + "test_savings_are_shown_with_period_and_unit", DEVICES, ("devices: savings are shown",)),
        ("savings that Podero does not tell", MY_DEVICES + "test_savings_that_podero_does_not_tell_are_not_invented[http_404-1]",
         DEVICES, ("devices: savings are not invented",)),
        ("devices of others", PAGES + "test_devices_of_others_are_not_shown", DEVICES, ("ownership: devices shown",)),
        ("a word for the device of another", PAGES + "test_confirming_a_device_of_another_customer_changes_nothing",
         CONFIRM, ("ownership: devices",)),
        ("pause", PAUSING + "test_paused_device_is_left_alone_at_once_and_stays_so", PAUSE, ("pause: the wish counts",)),
        ("pause while Podero is away", PAUSING + "test_pause_while_podero_is_away_is_said_and_carried_out_later", PAUSE,
         ("pause: tried until it is done",)),
        ("resume", PAUSING + "test_resumed_device_is_optimized_at_once", RESUME, ("resume: tried at once",)),
        ("resume after leaving", PAUSING + "test_who_has_withdrawn_resumes_nothing", RESUME,
         ("resume: only under a living consent",)),
        ("resume of what nobody has confirmed", PAUSING + "test_unconfirmed_device_is_not_resumed", RESUME,
         ("resume: only what is confirmed",)),
        ("two wishes that could not be told", PAUSING + "test_newest_of_two_wishes_that_could_not_be_told_wins", PAUSE,
         ("pause: the wish counts",)),
        ("switched on elsewhere while paused",
         PAUSING + "test_device_switched_on_elsewhere_while_paused_is_switched_off_again", PAUSE,
         ("pause: what others switch on is switched off",)),
        ("an act that is only opened", PAUSING + "test_address_of_an_act_that_is_only_opened_does_nothing[pause_device]",
         PAUSE, ("pause: a POST",)),
        ("an act upon the device of another", PAUSING + "test_device_of_another_customer_cannot_be_steered", DEVICES,
         ("ownership: acts",)),
    ),
    *_cases(
        "Charge now",
        ("plugged in", CHARGING + "test_car_that_is_plugged_in_charges_now", CHARGE, ("charge: the answer is kept",)),
        ("not plugged in", CHARGING + "test_car_that_is_not_plugged_in_charges_when_it_is", CHARGE,
         ("charge: armed is not started",)),
        ("409 charging already",
         CHARGING + "test_each_refusal_has_its_sentence[already_charging-it was charging already]", CHARGE,
         ("charge: each refusal has its sentence",)),
        ("409 fully charged", CHARGING + "test_each_refusal_has_its_sentence[fully_charged-the battery was full]", CHARGE,
         ("charge: each refusal has its sentence",)),
        ("409 not plugged in, as Podero sees it",
         CHARGING + "test_each_refusal_has_its_sentence[no_active_session-Podero does not see that the car is plugged in]",
         CHARGE, ("charge: each refusal has its sentence",)),
        ("409 for another reason",
         CHARGING + "test_each_refusal_has_its_sentence[phase_of_the_moon-gave no reason that we understand]", CHARGE,
         ("charge: no reason is one too",)),
        ("Podero away", CHARGING + "test_wish_to_charge_is_kept_while_podero_is_away", CHARGE,
         ("charge: tried again",)),
        ("Podero away for half an hour", CHARGING + "test_wish_to_charge_is_given_up_after_half_an_hour", CHARGE,
         ("charge: not hours later",)),
        ("taken back before it was heard",
         CHARGING + "test_wish_to_charge_that_was_taken_back_is_not_carried_out", CHARGE,
         ("charge: taking back wins",)),
        ("leaving while it is armed", CHARGING + "test_leaving_takes_back_what_was_to_charge", LEAVE,
         ("charge: leaving takes it back",)),
    ),
    *_cases(
        "Reconnect",
        ("by the action on the device", RECONNECTING + "test_out.py::test_press_leads_straight_to_the_manufacturer_by_the_action",
         RECONNECT, ("reconnect: the action comes first",)),
        ("by `auth_session`", RECONNECTING + "test_out.py::test_device_without_an_action_goes_by_the_older_way", RECONNECT,
         ("reconnect: then the older way",)),
        ("address of the action on a foreign host",
         RECONNECTING + "test_out.py::test_customer_is_sent_to_listed_hosts_only[cue_resolve-host]", RECONNECT,
         ("reconnect: listed hosts, action",)),
        ("address of `auth_session` on a foreign host",
         RECONNECTING + "test_out.py::test_customer_is_sent_to_listed_hosts_only[auth_session-host]", RECONNECT,
         ("reconnect: listed hosts, auth_session",)),
        ("back in the same browser",
         RECONNECTING + "test_back.py::test_same_browser_sees_the_device_connected_again[True-action-True]", RECONNECTED,
         ("reconnect: a login that works again is seen",)),
        ("back without a new login", RECONNECTING + "test_back.py::test_return_without_a_new_login_is_not_believed", RECONNECTED,
         ("reconnect: the return is a hint",)),
        ("another account, same device", RECONNECTING + "test_other_account.py::test_account_of_somebody_else_is_noticed_on_the_same_device",
         RECONNECTED, ("reconnect: another account is noticed",)),
        ("another account, device of its own",
         RECONNECTING + "test_other_account.py::test_account_of_somebody_else_that_brings_a_device_of_its_own_is_noticed[True]", RECONNECTED,
         ("reconnect: what turns up is noticed",)),
        ("cancelled", RECONNECTING + "test_back.py::test_cancel_is_said_and_reported", RECONNECTED,
         ("reconnect: a cancel is kept",)),
        ("foreign browser", RECONNECTING + "test_elsewhere.py::test_foreign_browser_changes_a_time_and_a_line[False]", RECONNECTED,
         ("reconnect: the return's customer",)),
        ("device that is to be removed", RECONNECTING + "test_back.py::test_device_that_is_to_be_removed_is_not_renewed_by_an_older_page",
         RECONNECT, ("reconnect: not what is to go",)),
        ("after leaving", RECONNECTING + "test_out.py::test_after_leaving_nothing_is_renewed", RECONNECT,
         ("reconnect: only under a living consent",)),
        ("device of another", RECONNECTING + "test_out.py::test_device_of_somebody_else_cannot_be_reconnected", RECONNECT,
         ("ownership: reconnecting",)),
    ),
    *_cases(
        "Doubles and removing one device",
        ("the same device twice", MY_DEVICES + "test_same_device_linked_twice_is_said_and_one_can_be_paused", DEVICES,
         ("doubles: the same device",)),
        ("car and wallbox", MY_DEVICES + "test_car_and_wallbox_are_said_to_get_in_each_others_way", DEVICES,
         ("doubles: car and wallbox",)),
        ("known before leaving for the form", MY_DEVICES + "test_consent_page_says_what_is_linked_before_leaving", CONSENT,
         ("doubles: said before leaving",)),
        ("removing is asked about", LEAVING_PAGES + "test_device_is_asked_about_before_it_is_removed", REMOVE,
         ("removal: a POST",)),
        ("removed, 204", REMOVAL + "test_device_is_gone_when_podero_says_so[204]", REMOVE,
         ("removal: what is gone is known",)),
        ("removed, 404", REMOVAL + "test_device_is_gone_when_podero_says_so[404]", REMOVE, ("removal: 404 is gone",)),
        ("refused", REMOVAL + "test_device_that_podero_refuses_to_remove_is_off_and_left_to_staff[403]", REMOVE,
         ("removal: a refusal comes to staff",)),
        ("Podero away", REMOVAL + "test_device_is_asked_for_again_until_podero_has_removed_it[http_503]", REMOVE,
         ("removal: asked again",)),
        ("not off yet", REMOVAL + "test_nothing_is_removed_before_it_is_off", JOB, ("removal: off first",)),
        ("device of another", LEAVING_PAGES + "test_device_of_another_is_not_found_and_not_removed", REMOVE,
         ("ownership: removing",)),
    ),
    *_cases(
        "Leaving",
        ("withdrawn", LEAVING + "test_withdrawal_ends_consent_attempts_and_optimization", LEAVE,
         ("leaving: switches off",)),
        ("Podero away", LEAVING + "test_withdrawal_while_podero_is_away_is_carried_out_later", LEAVE,
         ("pause: tried until it is done",)),
        ("Podero down for an hour", LEAVING + "test_withdrawal_with_podero_down_for_an_hour_leaves_nothing_behind", LEAVE,
         ("leaving: the user goes too", "leaving: acknowledged by mail")),
        ("back from the form after leaving", LEAVING + "test_return_after_the_withdrawal_links_nothing_and_is_undone", RETURN,
         ("consent held while linking",)),
        ("a word after leaving", LEAVING + "test_device_of_someone_who_left_cannot_be_confirmed", CONFIRM,
         ("confirming: only under a living consent",)),
        ("what turns up that nobody knew of",
         REMOVAL + "test_device_that_nobody_knew_of_is_undone_before_the_user_goes", LEAVE,
         ("leaving: what turns up is undone",)),
        ("one answer that the device is gone",
         STEERING + "test_one_answer_that_a_device_is_gone_is_not_believed_when_somebody_leaves", LEAVE,
         ("leaving: one answer is not believed",)),
        ("user removed", REMOVAL + "test_user_is_gone_when_podero_says_so[204]", LEAVE,
         ("leaving: the user goes too",)),
        ("user refused", REMOVAL + "test_user_that_podero_refuses_to_remove_is_left_to_staff[403]", LEAVE,
         ("removal: a refusal comes to staff",)),
        ("user before the device is gone", REMOVAL + "test_user_stays_while_a_device_could_not_be_removed", LEAVE,
         ("leaving: devices before the user",)),
        ("coming back", LEAVING + "test_coming_back_is_a_new_consent", LEAVE,
         ("leaving: nothing goes on under the old consent",)),
        ("acknowledgement by mail", LEAVING_PAGES + "test_mail_tells_what_was_ended_and_carries_no_key", LEAVE,
         ("leaving: acknowledged by mail",)),
        ("confirmed twice", LEAVING_PAGES + "test_confirming_again_neither_moves_the_date_nor_sends_another_mail", LEAVE,
         ("leaving: once",)),
        ("\"What got in the way?\"", LEAVING_PAGES + "test_answer_is_counted_and_thanked_for_once[savings]", REASON,
         ("leaving: one reason",)),
        ("what remains at the manufacturer", LEAVING_PAGES + "test_what_remains_is_said_per_manufacturer[Nibe]", REMOVE,
         ("leaving: what remains is said",)),
    ),
    *_cases(
        "Hand-off from the portal",
        ("wrong signature", BAD_TOKEN + "[wrong key]", ENTER, ("hand-off: signature",)),
        ("`alg: none`", BENT + "[get-alg none, signature left out]", ENTER, ("hand-off: signature",)),
        ("public key used as a shared secret", TOKENS + "test_public_key_is_no_shared_secret_however_it_is_written[HS256-pem]",
         ENTER, ("hand-off: one algorithm",)),
        ("wrong issuer", BAD_TOKEN + "[wrong issuer]", ENTER, ("hand-off: issuer",)),
        ("wrong audience", BAD_TOKEN + "[wrong audience]", ENTER, ("hand-off: audience",)),
        ("expired", TOKENS + "test_token_that_ran_out_has_a_page_of_its_own", ENTER, ("hand-off: has run out",)),
        ("from the future", BAD_TOKEN + "[from the future]", ENTER, ("hand-off: from the future",)),
        ("lives for over five minutes", BAD_TOKEN + "[lives too long]", ENTER, ("hand-off: lives five minutes",)),
        ("replayed", ENTERING + "test_token_works_once", ENTER, ("hand-off: used once",)),
        ("oversized", BENT + "[get-oversized]", ENTER, ("hand-off: size",)),
        ("`next` leads away", BENT + "[get-next leads away]", ENTER, ("hand-off: next stays here",)),
        ("staff account", TOKENS + "test_staff_get_a_page_of_their_own[rights0]", ENTER, ("hand-off: no staff",)),
        ("account locked by support", TOKENS + "test_customer_who_was_locked_out_by_support_stays_out", ENTER,
         ("hand-off: no locked account",)),
        ("e-mail changed", TOKENS + "test_email_that_changed_keeps_the_customer_and_their_devices", ENTER,
         ("hand-off: the e-mail is taken over",)),
        ("same e-mail, another customer number",
         TOKENS + "test_same_email_under_another_number_gets_nothing_of_the_first", ENTER,
         ("hand-off: the number alone tells who",)),
        ("refused links again and again", THROTTLES + "test_refused_links_from_one_address_are_told_to_wait", ENTER,
         ("throttle: refused links",)),
    ),
    *_cases(
        "Keeping others out",
        ("password guessed", THROTTLES + "test_account_is_closed_after_ten_wrong_passwords[/sign-in/]", r"/sign-in/",
         ("throttle: passwords",)),
        ("address that guesses", THROTTLES + "test_address_is_closed_after_fifty_wrong_passwords_and_others_are_not",
         r"/sign-in/", ("throttle: addresses",)),
        ("eleventh attempt within an hour", THROTTLES + "test_customer_who_starts_too_often_is_told_when_by_their_own_clock", CONSENT,
         ("throttle: attempts",)),
        ("session planted before signing in", SESSIONS + "test_nothing_that_was_planted_before_the_link_is_believed_after_it",
         ENTER, ("hand-off: fresh session",)),
        ("form of another site", SESSIONS + "test_form_that_was_not_ours_gets_a_page[leave-https://evil.example]", LEAVE,
         ("forms: of our own pages only",)),
        ("submission of another customer", SESSIONS + "test_submission_of_another_customer_gives_nothing_of_theirs", CONSENT,
         ("ownership: submissions",)),
        ("attempt of another customer", COMING_BACK + "test_nobody_else_sees_the_attempt", r"/optimize/attempts/",
         ("ownership: attempts",)),
        ("made-up host", WORDS + "test_wrong_host_gets_a_page_that_does_not_repeat_it[evil.example]", ANYWHERE,
         ("hosts: listed ones",)),
        ("made-up host on the way to the form", WORDS + "test_way_back_is_built_from_our_own_address[127.0.0.1]", CONSENT,
         ("way back from SITE_URL",)),
        ("template in the brand's name", WORDS + "test_words_of_settings_are_shown_as_they_are[<script>alert(1)</script>]",
         ANYWHERE, ("words: escaped",)),
        ("line break on the way to a header", BENT + "[get-next with a line break]", ENTER,
         ("hand-off: no line break in next",)),
        ("line break on the way to the log", WORDS + "test_line_of_the_log_stays_one_line[a\\nERROR root forged line]",
         JOB, ("log: one line",)),
    ),
)  # fmt: skip

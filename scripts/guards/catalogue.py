"""What is taken away, and which tests are to notice. A new guard is a new entry here.

The tests of the cases in `tests/cases/catalogue.py` that name a guard have to notice, each of
them. Of the files or tests that a guard itself names, at least one has to.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.cases.catalogue import CASES


@dataclass(frozen=True)
class Edit:
    """`old`, which stands in `file` once, becomes `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Guard:
    """One edit takes it away; `also` takes away what stands behind it and would hide that."""

    name: str
    file: str
    old: str
    new: str
    own_tests: tuple[str, ...] = ()
    also: tuple[Edit, ...] = ()

    @property
    def edits(self) -> tuple[Edit, ...]:
        return (Edit(self.file, self.old, self.new), *self.also)

    @property
    def case_tests(self) -> tuple[str, ...]:
        """Each of them has to fail without the guard."""
        return tuple(case.test for case in CASES if self.name in case.guards)

    @property
    def tests(self) -> tuple[str, ...]:
        return (*self.case_tests, *self.own_tests)


HANDOFF = "onboarding/flows/handoff.py"
TOKENS = ("tests/hostile/test_tokens.py", "tests/views/test_enter.py")
THROTTLES = ("tests/hostile/test_throttles.py",)
SESSIONS = ("tests/hostile/test_sessions.py",)
HEADERS = ("tests/hostile/test_headers.py::test_every_answer_carries_the_headers",)
WORDS = ("tests/hostile/test_words.py",)
PAGES = ("tests/views/test_pages.py",)
PROOF = ("tests/journeys/test_proof_of_return.py",)
COMING_BACK = ("tests/journeys/test_coming_back.py",)
EVIDENCE = ("tests/flows/test_evidence.py",)
MOVER = ("tests/models/test_mover.py",)
HOSTS = ("tests/podero/test_hosted_address.py",)

RETURNING = "onboarding/views/returning.py"
CHECKING = "onboarding/flows/returning.py"
KEEPING = "onboarding/flows/keeping.py"
STATES = "onboarding/states.py"
DEVICE_ROWS = "onboarding/models/devices.py"
DEVICE_FLOW = "onboarding/flows/devices.py"
CONFIRMING = "onboarding/flows/confirming.py"
DEVICE_PAGES = "onboarding/views/devices.py"
DEVICE_CALLS = "onboarding/podero/devices.py"
STEERING = "onboarding/views/steering.py"
OPT_IN = "onboarding/flows/opt_in.py"
CONSENT_PAGE = "onboarding/views/consent.py"
REMINDERS = "onboarding/flows/reminders.py"
STOPPING = "onboarding/views/reminders.py"
PAUSING = "onboarding/flows/pausing.py"
CHARGING = "onboarding/flows/charging.py"
RECONNECTING = "onboarding/flows/reconnecting.py"
RENEWAL = "onboarding/flows/renewal.py"
DOUBLES = "onboarding/flows/doubles.py"
REMOVAL = "onboarding/flows/removal.py"
WITHDRAWAL = "onboarding/flows/withdrawal.py"
LEAVING = "onboarding/views/leave.py"

GUARDS = (
    # --- The portal's link ---
    Guard("hand-off: one algorithm", HANDOFF, "algorithms=[algorithm],",
          'algorithms=[algorithm, "HS256", "HS384", "HS512", "none"],', TOKENS),
    Guard("hand-off: signature", HANDOFF, '                "verify_exp": False,',
          '                "verify_exp": False, "verify_signature": False,', TOKENS),
    Guard("hand-off: issuer", HANDOFF, "            issuer=settings.HANDOFF_ISSUER,\n", "", TOKENS),
    Guard("hand-off: audience", HANDOFF, '                "verify_exp": False,',
          '                "verify_exp": False, "verify_aud": False,', TOKENS),
    Guard("hand-off: claims required", HANDOFF, '"require": list(REQUIRED_CLAIMS),',
          '"require": [],', TOKENS),
    Guard("hand-off: size", HANDOFF, "or len(token) > MAX_TOKEN_LENGTH", "", TOKENS),
    Guard("hand-off: has run out", HANDOFF,
          "if ends_at + CLOCK_TOLERANCE.seconds <= now.timestamp():", "if False:", TOKENS),
    Guard("hand-off: from the future", HANDOFF,
          "if issued_at > now.timestamp() + CLOCK_TOLERANCE.seconds:", "if False:", TOKENS),
    Guard("hand-off: not yet valid", HANDOFF, 'if "nbf" in claims and', "if False and", TOKENS),
    Guard("hand-off: lives five minutes", HANDOFF,
          "if not 0 < ends_at - issued_at <= MAX_LIFETIME.seconds:", "if False:", TOKENS),
    Guard("hand-off: times are times", HANDOFF, " or not 0 < value < 1e11", "", TOKENS),
    Guard("hand-off: printable text", HANDOFF, " or not value.isprintable()", "", TOKENS),
    Guard("hand-off: used once", HANDOFF, 'raise UnableToEnter("used", "jti") from error',
          "return", ("tests/views/test_enter.py", "tests/races/test_races.py", "tests/hostile/test_replay.py")),
    Guard("hand-off: no staff", HANDOFF, "if account.is_staff or account.is_superuser:", "if False:",
          TOKENS),
    Guard("hand-off: no locked account", HANDOFF, "if not account.is_active:", "if False:", TOKENS),
    Guard("hand-off: next stays here", HANDOFF, "if path and not _is_ours(path):", "if False:", TOKENS),
    Guard("hand-off: no line break in next", HANDOFF, "if path and not _is_ours(path):", "if False:",
          also=(Edit(HANDOFF, " or not value.isprintable()", ""),)),
    Guard("hand-off: next does not climb", HANDOFF,
          ' and not {".", ".."} & {*steps.split("/")}', "", TOKENS),
    Guard("hand-off: encoded dots are dots", HANDOFF,
          'unquote(path.partition("?")[0].partition("#")[0])', "path", TOKENS),
    Guard("hand-off: one token only", "onboarding/views/enter.py",
          "tokens[0] if len(tokens) == 1 else", "tokens[-1] if tokens else", TOKENS),
    Guard("hand-off: no referrer", "onboarding/views/enter.py",
          'response.headers["Referrer-Policy"] = "strict-origin"', "pass", TOKENS),
    Guard("hand-off: fresh session", "onboarding/views/enter.py", "    request.session.flush()\n", "",
          SESSIONS),
    # --- Headers and cookies ---
    Guard("headers: policy", "config/settings.py", '    "csp.middleware.CSPMiddleware",\n', "", HEADERS),
    Guard("headers: nothing inline", "config/settings.py", '"script-src": [SELF],',
          """"script-src": [SELF, "'unsafe-inline'"],""", HEADERS),
    Guard("headers: no pictures of others", "config/settings.py", '"img-src": [SELF],',
          '"img-src": [SELF, "https:"],', HEADERS),
    Guard("headers: no frames", "config/settings.py", 'X_FRAME_OPTIONS = "DENY"',
          'X_FRAME_OPTIONS = "SAMEORIGIN"', HEADERS),
    Guard("headers: admin never framed", "config/middleware.py",
          'if request.path.startswith("/admin/"):', "if False:", ("tests/hostile/test_headers.py::test_admin_is_never_framed",)),
    Guard("headers: no sniffing", "config/middleware.py",
          'response.headers.setdefault("X-Content-Type-Options", "nosniff")', "pass", HEADERS),
    Guard("headers: permissions", "config/middleware.py",
          'response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)', "pass", HEADERS),
    Guard("headers: nothing kept of private pages", "config/middleware.py",
          'response.headers.setdefault("Cache-Control", "no-store")', "pass", HEADERS),
    Guard("headers: way back tells nobody", "onboarding/views/coming_back.py",
          'response.headers["Referrer-Policy"] = "no-referrer"', "pass",
          HEADERS),
    Guard("headers: https", "config/settings.py", "SECURE_SSL_REDIRECT = IS_HTTPS",
          "SECURE_SSL_REDIRECT = False", ("tests/test_settings.py",)),
    Guard("headers: https for a year", "config/settings.py",
          "SECURE_HSTS_SECONDS = 365 * 24 * 3600 if IS_HTTPS else 0", "SECURE_HSTS_SECONDS = 0",
          ("tests/test_settings.py",)),
    Guard("cookies: secure", "config/settings.py",
          "SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS",
          "SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False", ("tests/test_settings.py",)),
    Guard("cookies: of this host only", "config/settings.py", '"__Host-{}" if IS_HTTPS else "{}"',
          '"{}"', ("tests/test_settings.py",)),
    Guard("cookies: out of scripts' reach", "config/settings.py", "CSRF_COOKIE_HTTPONLY = True",
          "CSRF_COOKIE_HTTPONLY = False", ("tests/hostile/test_headers.py::test_cookies_are_kept_from_scripts_and_other_sites",)),
    Guard("logo of this site only", "config/env.py", "if value and not re.fullmatch(r\"/[^/",
          "if False and not re.fullmatch(r\"/[^/", ("tests/test_settings.py",)),
    # --- Forms ---
    Guard("forms: of our own pages only", "config/settings.py",
          '    "django.middleware.csrf.CsrfViewMiddleware",\n', "", SESSIONS),
    Guard("forms: one way in without it", "onboarding/views/enter.py", "@csrf_exempt", "",
          ("tests/views/test_enter.py::test_portal_may_post_the_token",)),
    Guard("forms: withdrawing is a POST", "onboarding/views/leave.py", 'if request.method == "POST":',
          "if True:", (*SESSIONS, "tests/journeys/test_leaving.py")),
    Guard("forms: confirming is a POST", "onboarding/views/devices.py",
          'if request.method == "POST":\n        try:\n            confirming.confirm_device(',
          "if True:\n        try:\n            confirming.confirm_device(", SESSIONS),
    # --- Too often ---
    Guard("throttle: passwords", "config/settings.py", '    "axes.backends.AxesStandaloneBackend",\n',
          "", THROTTLES),
    Guard("throttle: the page", "config/settings.py", '    "axes.middleware.AxesMiddleware",\n', "",
          THROTTLES),
    Guard("throttle: addresses", "onboarding/lockout.py",
          "counted.append((of_address, settings.THROTTLE_PER_ADDRESS))", "pass", THROTTLES),
    Guard("throttle: spelling of names", "onboarding/flows/sign_in_failures.py",
          "username.strip().casefold()", "username", THROTTLES),
    Guard("throttle: knocking does not prolong", "config/settings.py",
          "AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False",
          "AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = True", THROTTLES),
    Guard("throttle: the owner's browser", "onboarding/lockout.py",
          "if browser and known_account == account else account", "if False else account", THROTTLES),
    Guard("throttle: known to this account only", "onboarding/lockout.py",
          "if browser and known_account == account else account", "if browser else account",
          THROTTLES),
    Guard("throttle: no other data kept", "onboarding/lockout.py",
          "bare.GET = bare.POST = QueryDict()", "pass", THROTTLES),
    Guard("throttle: proxies we trust only", "onboarding/lockout.py",
          "said = hops[-settings.TRUSTED_PROXIES] or said", "said = hops[0] or said", THROTTLES),
    Guard("throttle: refused links", "onboarding/flows/throttling.py",
          "raise TooOften(retry_at=max(full))", "return", THROTTLES),
    Guard("throttle: attempts", "onboarding/flows/throttling.py",
          "    _check_starts(OnboardingSession.objects.for_customer(customer), now=now)\n", "", THROTTLES),
    Guard("throttle: reconnections", "onboarding/flows/throttling.py",
          "    _check_starts(Reconnection.objects.for_customer(customer), now=now)\n", ""),
    Guard("throttle: complains when off", "onboarding/checks.py", "if not settings.IS_THROTTLED:",
          "if False:", THROTTLES),
    # --- Whose is it ---
    Guard("ownership: attempts", "onboarding/views/attempts.py",
          "OnboardingSession.objects.for_customer(customer)", "OnboardingSession.objects.all()",
          COMING_BACK),
    Guard("ownership: devices", "onboarding/views/devices.py",
          "own = Device.objects.for_customer(customer).select_related(\"attempt\")",
          "own = Device.objects.select_related(\"attempt\")", PAGES),
    Guard("ownership: receipts", "onboarding/views/receipts.py",
          "Consent.objects.filter(podero_user=customer)", "Consent.objects.all()",
          ("tests/views/test_receipts.py::test_receipt_of_another_customer_is_not_found",)),
    Guard("ownership: the return's customer", "onboarding/views/returning.py",
          "if signed_in_customer(request) != attempt.podero_user:\n"
          "        return _note_foreign(request, attempt, is_success=True)", "", COMING_BACK),
    Guard("return: same browser", "onboarding/views/returning.py",
          "is_matched=has_left_with(request, attempt),", "is_matched=True,", COMING_BACK),
    Guard("return: another browser's return bars a mere word", CONFIRMING,
          "if word.is_barred:", "if False:", PROOF,
          also=(Edit(CONFIRMING, "recalled += recall(device, now=now)", "pass"),)),
    Guard("return: any attempt that may have brought it casts its doubt", "onboarding/models/attempts.py",
          "return self.started_at <= device.linked_at <= over_at", "return False",
          also=(Edit(CONFIRMING, "| Q(started_at__lte=OuterRef(\"linked_at\"), expires_at__gte=OuterRef(\"linked_at\"))",
                     ""),)),
    Guard("return: a doubt is none about devices of other days", CONFIRMING,
          "Q(started_at__lte=OuterRef(\"linked_at\"), expires_at__gte=OuterRef(\"linked_at\"))",
          "Q(pk__gt=0)"),
    Guard("return: no proof while another attempt may bring one", CONFIRMING,
          "return self.device.podero_id in named or not self._has_rivals(needed)", "return True"),
    Guard("reconnect: only signing in again clears a login in doubt", CONFIRMING,
          "return self.device.is_login_in_doubt or bool(", "return bool("),
    Guard("return: prefetching acts not", "onboarding/views/coming_back.py",
          'return any("prefetch" in request.headers.get(name, "") for name in _PREFETCH_HEADERS)',
          "return False", PROOF),
    Guard("return: token is kept hashed", "onboarding/models/return_tokens.py",
          "return hashlib.sha256(token.encode()).hexdigest()", "return token",
          ("tests/hostile/test_guards.py::test_return_token_is_kept_as_a_hash_only",)),
    Guard("return: device of another customer", "onboarding/flows/keeping.py",
          "if device.podero_user_id != attempt.podero_user_id:", "if False:",
          ("tests/hostile/test_guards.py::test_device_on_record_for_another_customer_is_not_taken_over",)),
    Guard("consent held while linking", "onboarding/flows/keeping.py",
          "if not Consent.objects.filter(pk=attempt.consent_id, withdrawn_at=None).exists():",
          "if False:", ("tests/journeys/test_leaving.py", "tests/races/test_races.py")),
    # --- Evidence, claims, moves ---
    Guard("seal: over the facts", "onboarding/models/seals.py",
          "return Mark.INTACT if is_intact else Mark.CHANGED", "return Mark.INTACT", EVIDENCE),
    Guard("seal: over the words", "onboarding/models/consents.py",
          "if self.text.digest != digest_of(self.text.body):", "if False:", EVIDENCE),
    Guard("seal: over the words, twice", "onboarding/models/consents.py",
          "if self.text.digest != digest_of(self.text.body):", "if False:",
          also=(Edit("onboarding/models/seals.py", "return Mark.INTACT if is_intact else Mark.CHANGED",
                     "return Mark.INTACT"),)),
    Guard("seal: rows are not edited", "onboarding/models/append_only.py",
          'raise TypeError(f"{type(self).__name__} is never changed.")', "pass", EVIDENCE),
    Guard("claim: one process at a time", "onboarding/models/claims.py",
          "filter(unclaimed(now), pk=self.pk,", "filter(pk=self.pk,", MOVER),
    Guard("claim: who lost it records nothing", "onboarding/models/attempts.py",
          'guard["claimed_at"] = self.claimed_at', "pass", MOVER),
    Guard("mover: a stale copy loses", "onboarding/models/attempts.py",
          'guard: dict[str, Any] = {"pk": self.pk, "state": before}',
          'guard: dict[str, Any] = {"pk": self.pk}', MOVER),
    Guard("mover: allowed moves only", "onboarding/models/attempts.py",
          "if before not in sources_of(to) or", "if", MOVER),
    Guard("timeline: only added to", "onboarding/models/append_only.py",
          'raise TypeError(f"{self.model.__name__} is never changed.")',
          "return models.QuerySet.update(self, **_fields)", EVIDENCE),
    # --- Addresses that lead away ---
    Guard("hosted form: listed hosts", "onboarding/podero/sessions.py",
          "if address is None or not self._calls.connect_hosts.is_allowed(address):",
          "if address is None:", ("tests/podero/test_sessions.py",)),
    Guard("hosted form: https", "onboarding/podero/hosted_address.py",
          'return parts.scheme == "https" or', 'return parts.scheme in {"https", "http"} or', HOSTS),
    Guard("hosted form: nobody before the host", "onboarding/podero/hosted_address.py",
          ' or "@" in parts.netloc', "", HOSTS),
    Guard("hosted form: plain characters", "onboarding/podero/hosted_address.py",
          "if not is_plain or len(address) > MAX_URL:", "if len(address) > MAX_URL:", HOSTS),
    Guard("way back from SITE_URL", "onboarding/flows/linking.py",
          'success_url=settings.SITE_URL + reverse("return_success", args=[token]),',
          'success_url="http://127.0.0.1" + reverse("return_success", args=[token]),', WORDS),
    # --- Logs ---
    Guard("log: one line", "config/logs.py", 'return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)',
          "return text", WORDS),
    Guard("log: no keys", "config/logs.py", "text = pattern.sub(replacement, text)",
          "pass", WORDS),
    # --- Coming back ---
    Guard("return: the browser that left is known", RETURNING, "is_matched=has_left_with(request, attempt),",
          "is_matched=False,"),
    Guard("return: nothing is optimized before it", "onboarding/flows/linking.py",
          'is_smart_optimization_active=settings.ONBOARDING_ACTIVATION == "immediately",',
          "is_smart_optimization_active=True,"),
    Guard("return: signing in takes it up", RETURNING,
          'if request.method == "GET" and has_come_back(request, reference):', "if False:"),
    Guard("return: an unknown success token is said", RETURNING,
          'with_success_token(token))\n    if attempt is None:\n        return redirect("return_unknown")\n',
          "with_success_token(token))\n"),
    Guard("return: an unknown cancel token is said", RETURNING,
          'with_cancel_token(token))\n    if attempt is None:\n        return redirect("return_unknown")\n',
          "with_cancel_token(token))\n"),
    Guard("return: only what is under way is asked about", CHECKING,
          "if attempt.state != State.RETURNED or not attempt.claim(now=now):",
          "if not attempt.claim(now=now):"),
    Guard("return: late truth wins over running out", STATES,
          "State.EXPIRED: frozenset({State.RETURNED, State.LINKED}),", "State.EXPIRED: frozenset(),"),
    Guard("return: late truth wins over a cancel", STATES,
          "State.CANCELLED: frozenset({State.RETURNED, State.LINKED}),", "State.CANCELLED: frozenset(),"),
    Guard("return: a late cancel undoes nothing", STATES, "State.LINKED: frozenset(),",
          "State.LINKED: frozenset({State.CANCELLED}),"),
    Guard("return: cancel has a key of its own", "onboarding/models/return_tokens.py",
          "def cancel_token_of(token: str) -> str:\n    return hash_of(token)",
          "def cancel_token_of(token: str) -> str:\n    return token"),
    Guard("return: what is no id is none", "onboarding/views/coming_back.py", "except ValueError:",
          "except KeyError:"),
    Guard("return: only the API makes it linked", CHECKING, "    if findings:\n", "    if True:\n"),
    Guard("return: a refused id is no answer", "onboarding/flows/discovery.py",
          "except (podero.NotFound, podero.Forbidden, podero.Refused):", "except podero.NotFound:"),
    Guard("return: a known device goes with its new attempt", KEEPING,
          "            device.relink(attempt, at=now)\n            if is_return_matched",
          "            if is_return_matched"),
    Guard("return: the chosen type is a hint", DEVICE_CALLS,
          "for candidate in [*likely, *(kind for kind in DeviceType if kind != device_type)]:",
          "for candidate in likely:",
          also=(Edit(DEVICE_CALLS, "for device_type in DeviceType:", "for device_type in [DeviceType.EV]:"),)),
    Guard("return: only what came back is optimized", KEEPING,
          "if is_return_matched and finding.is_proven:", "if True:",
          ("tests/journeys/test_coming_back.py::test_other_browser_of_the_same_customer_is_asked_first",)),
    Guard("return: what no return named waits for a word", KEEPING,
          "            attempt.note(Event.MORE_FOUND, at=now, actor=Actor.SYSTEM)\n",
          "            attempt.note(Event.MORE_FOUND, at=now, actor=Actor.SYSTEM)\n"
          "            accept_device(device, now=now)\n"),
    Guard("unconfirmed: what Podero steers is switched off", KEEPING,
          '"next_try_at": None if is_off else now,', '"next_try_at": None,',
          also=(Edit(DEVICE_ROWS, 'fields["next_try_at"] = at', "pass"),)),
    Guard("return: an earlier word is taken back", CONFIRMING,
          "recalled += recall(device, now=now)", "pass"),
    Guard("return: a cancel mutes no success", "onboarding/models/attempts.py", "is_news = is_success and (",
          "is_news = False and ("),
    Guard("return: a linked attempt takes no newcomer of another", "onboarding/flows/lookups.py",
          "if attempt.state == State.LINKED and _may_another_bring_one(attempt, now):", "if False:"),
    Guard("return: an address clears no doubt", KEEPING,
          "if _is_in_doubt(device, attempt) or", "if"),
    Guard("reconnect: another device behind it is asked about", DEVICE_FLOW,
          "if device.stands_for_another(found):", "if False:"),
    Guard("charge: ends with the confirmation", CONFIRMING,
          "        charging.take_back_if_asked(device=device, now=now)\n", ""),
    Guard("unconfirmed: what turns up late is kept", DEVICE_FLOW,
          "        _take_up_newcomers(customer, newcomers, now=now)\n", "        pass\n"),
    Guard("return: HEAD acts not", RETURNING,
          'if request.method == "GET":\n        _take_up_success(', "if True:\n        _take_up_success("),
    Guard("return: a stranger is noted once a minute", "onboarding/models/attempts.py",
          "if not is_news and self.events.filter(event=event, at__gt=recently).exists():", "if False:"),
    Guard("claim: what a killed process held is taken over", "onboarding/models/claims.py",
          "return Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM_LIFETIME)",
          "return Q(claimed_at=None)",
          also=(Edit("onboarding/flows/expiry.py", "before = now - CLAIM_LIFETIME", "before = now - timedelta(days=1)"),)),
    Guard("return: a check that failed is planned again", CHECKING,
          "if attempt.release(tries=tries, next_try_at=when, failure_code=code):",
          "if attempt.release(tries=tries, next_try_at=None, failure_code=code):"),
    Guard("return: a form that ran out is looked up and ended", "onboarding/flows/lookups.py",
          "    if _has_run_out(attempt, now):\n        _end(attempt, now=now)\n        return\n", ""),
    # --- Consent ---
    Guard("consent: unticked", "onboarding/forms.py", "allows_control = forms.BooleanField()",
          "allows_control = forms.BooleanField(initial=True)"),
    Guard("consent: control is asked for", "onboarding/forms.py", "allows_control = forms.BooleanField()",
          "allows_control = forms.BooleanField(required=False)"),
    Guard("consent: to the words on the page", "onboarding/forms.py",
          "if digest != self._words_digest:", "if False:"),
    Guard("consent: the reminder is offered where it can be sent", CONSENT_PAGE,
          '"is_reminder_offered": settings.IS_MAIL_ON,\n', '"is_reminder_offered": False,\n'),
    Guard("consent: the sentences beside the boxes count", CONSENT_PAGE,
          'return render_to_string("onboarding/partials/_consent_record.html", context).strip()',
          "return words"),
    Guard("consent: a new meaning is asked about", OPT_IN, "if attempt.consent.is_outdated:", "if False:"),
    Guard("consent: a corrected letter is not", "onboarding/models/consents.py",
          "return self.text.version != str(CONSENT_VERSION)", "return True"),
    Guard("seal: shown to staff", "onboarding/admin/consents.py",
          "return None if mark is Mark.KEY_MISSING else mark is Mark.INTACT", "return True"),
    Guard("receipt: tells the choices", "templates/onboarding/partials/_choices_made.html",
          "{% if consent.allows_control %}", "{% if False %}"),
    Guard("receipt: nothing that was changed is shown", "onboarding/views/receipts.py",
          '"is_changed": consent.examine() is not Mark.INTACT,', '"is_changed": False,'),
    Guard("receipt: mailed", OPT_IN,
          "Mail.objects.create(consent=consent, kind=Mail.Kind.RECEIPT, next_try_at=now)", "pass"),
    # --- The reminder ---
    Guard("reminder: a day later", REMINDERS, "AFTER = timedelta(hours=24)", "AFTER = timedelta(0)"),
    Guard("reminder: never twice", "onboarding/flows/mails.py",
          "    if not mail.write_off(at=now):\n        return True\n", ""),
    Guard("reminder: by one worker", "onboarding/models/claims.py",
          "filter(unclaimed(now), pk=self.pk,", "filter(pk=self.pk,",
          also=(
              Edit("onboarding/flows/mails.py", "    if not mail.write_off(at=now):\n        return True\n", ""),
              Edit("onboarding/models/mails.py", 'return {"sent_at": None}', "return {}"),
          )),
    Guard("reminder: only if asked for", REMINDERS,
          "if not settings.IS_MAIL_ON or not consent.allows_reminder:", "if not settings.IS_MAIL_ON:",
          also=(Edit(REMINDERS, "        or not consent.allows_reminder\n        or customer", "        or customer"),)),
    Guard("reminder: not about what is over", REMINDERS,
          "if attempt is None or attempt.state not in _LEFT_UNFINISHED:", "if attempt is None:",
          also=(Edit(REMINDERS, "        or _has_linked_since(consent)\n", ""),)),
    Guard("reminder: not after leaving", REMINDERS,
          "consent.withdrawn_at is not None\n        or not consent", "not consent"),
    Guard("reminder: leads to our own page", "onboarding/letters.py",
          '"address": settings.SITE_URL + reverse("attempt", args=[attempt.reference]),',
          '"address": "https://connect.podero.com",'),
    Guard("reminder: stopping is a POST", STOPPING,
          'if request.method != "POST":\n        return render(request, "onboarding/reminders/stop.html")\n', "pass\n"),
    Guard("reminder: one click without a cookie", STOPPING, "@csrf_exempt\n", ""),
    Guard("reminder: a token is signed", REMINDERS, "UUID(_signer.unsign(token))",
          'UUID(token.partition(":")[0])'),
    # --- My devices ---
    Guard("devices: opening asks nobody", DEVICE_PAGES,
          "nudge(refresh_devices, customer_id=customer.pk)\n    consents", "refresh_devices(customer_id=customer.pk)\n    consents"),
    Guard("devices: what is known stays", DEVICE_FLOW,
          "        return not error.is_retryable\n    for device in own:", "        named = {}\n    for device in own:"),
    Guard("devices: looking again asks", DEVICE_PAGES,
          "device_flow.refresh_for_viewer(client=client, customer=customer, now=timezone.now())", "pass"),
    Guard("devices: savings are shown", "onboarding/flows/saving.py",
          "update(savings=Saved.of(told).as_json())", "update(savings={})"),
    Guard("devices: savings are not invented", "onboarding/flows/saving.py",
          "    if not error.is_retryable:\n        Device", "    if False:\n        Device"),
    Guard("ownership: devices shown", DEVICE_PAGES, "present = Device.objects.for_customer(customer).present()",
          "present = Device.objects.present()"),
    Guard("pause: the wish counts", DEVICE_ROWS,
          "return self._change_wish(Q(is_optimization_wanted=True), is_wanted=False, now=now)", "return False"),
    Guard("pause: tried until it is done", DEVICE_FLOW,
          '"next_try_at": None if is_given_up else when', '"next_try_at": None'),
    Guard("pause: a POST", STEERING, 'if request.method == "POST":\n        pausing.pause_device',
          "if True:\n        pausing.pause_device"),
    Guard("pause: what others switch on is switched off", DEVICE_ROWS, 'fields["next_try_at"] = at', "pass"),
    Guard("resume: tried at once", STEERING,
          "pausing.resume_device(device=device, now=timezone.now())\n            _switch(device)",
          "pausing.resume_device(device=device, now=timezone.now())"),
    Guard("resume: only under a living consent", PAUSING,
          "        keeping.hold_consent(device.attempt)\n        if device.resume", "        if device.resume",
          also=(Edit(DEVICE_ROWS, "Q(confirmed_at__isnull=False, removal_wanted_at=None)\n", "Q(confirmed_at__isnull=False)\n"),)),
    Guard("resume: only what is confirmed", DEVICE_ROWS,
          "Q(confirmed_at__isnull=False, removal_wanted_at=None)\n", "Q(removal_wanted_at=None)\n"),
    Guard("ownership: acts", STEERING, "own = Device.objects.for_customer(customer).as_shown()",
          "own = Device.objects.all().as_shown()"),
    # --- Charging now ---
    Guard("charge: the answer is kept", CHARGING, "if wish.record_answer(answer, at=now):", "if False:"),
    Guard("charge: armed is not started", CHARGING,
          'if reported.is_boost_armed or reported.cable == "unplugged":', "if False:"),
    Guard("charge: each refusal has its sentence", CHARGING,
          "_REASONS.get(refusal.reason, Answer.REFUSED)", "Answer.INTERNAL_ERROR"),
    Guard("charge: no reason is one too", CHARGING,
          "_REASONS.get(refusal.reason, Answer.REFUSED)", "_REASONS[refusal.reason]"),
    Guard("charge: tried again", CHARGING,
          "wish.record_failure(next_try_at=min(when, wish.gives_up_at))", "wish.record_failure(next_try_at=wish.gives_up_at)"),
    Guard("charge: not hours later", CHARGING, "if now >= wish.gives_up_at or user_id is None:",
          "if user_id is None:"),
    Guard("charge: taking back wins", CHARGING,
          "ask = client.start_boost if wish.is_start else client.stop_boost", "ask = client.start_boost"),
    Guard("charge: leaving takes it back", WITHDRAWAL, "charging.take_back_all(customer=customer, now=now)", "pass"),
    # --- Reconnecting ---
    Guard("reconnect: the action comes first", RECONNECTING,
          "cue = renewal.cue_of(client, found) if found else None", "cue = None"),
    Guard("reconnect: then the older way", RECONNECTING,
          "    if found is None:\n        return None\n    renewed", "    return None\n    renewed"),
    Guard("reconnect: listed hosts, action", "onboarding/podero/cues.py",
          "if not self._calls.connect_hosts.is_allowed(address):", "if False:"),
    Guard("reconnect: listed hosts, auth_session", DEVICE_CALLS,
          "if address is not None and not self._calls.connect_hosts.is_allowed(address):", "if False:"),
    Guard("reconnect: a login that works again is seen", RECONNECTING,
          "elif finding.renewed is not None:", "elif False:"),
    Guard("reconnect: the return is a hint", RENEWAL,
          "if found is None or found.is_authenticated is False:", "if found is None:",
          also=(Edit(RENEWAL, "return Finding(renewed=found if is_plain else None)", "return Finding(renewed=found)"),)),
    Guard("reconnect: another account is noticed", RENEWAL,
          "return bool(before and found.external_device_id) and hash_of(found.external_device_id) != before",
          "return False"),
    Guard("reconnect: what turns up is noticed", RENEWAL,
          "if newcomers or changed or is_another_named:", "if changed:"),
    Guard("reconnect: a cancel is kept", RECONNECTING,
          "if reconnection.state == State.OPEN and not", "if False and not"),
    Guard("reconnect: the return's customer", "onboarding/views/reconnecting.py",
          "    if signed_in_customer(request) != found.device.podero_user:\n"
          "        return _note_foreign(request, found)\n"
          '    if request.method == "GET":\n        _take_up_success',
          '    if request.method == "GET":\n        _take_up_success'),
    Guard("reconnect: not what is to go", RECONNECTING,
          "if not Device.objects.filter(pk=device.pk, removal_wanted_at=None).exists():", "if False:"),
    Guard("reconnect: only under a living consent", RECONNECTING,
          "        keeping.hold_consent(device.attempt)\n        if not Device", "        if not Device",
          also=(Edit(RECONNECTING, "if not Device.objects.filter(pk=device.pk, removal_wanted_at=None).exists():", "if False:"),)),
    Guard("ownership: reconnecting", "onboarding/views/reconnecting.py",
          'own = Device.objects.for_customer(customer).select_related("attempt", "podero_user")',
          'own = Device.objects.select_related("attempt", "podero_user")'),
    # --- Doubles, removing one device ---
    Guard("doubles: the same device", DOUBLES, 'return "same" if ids[0] == ids[1] else None', "return None"),
    Guard("doubles: car and wallbox", DOUBLES,
          'return "car_and_wallbox" if are_both_controlled else None', "return None"),
    Guard("doubles: said before leaving", DOUBLES,
          "return [device for device in devices if device.device_type == device_type and _is_here(device)]",
          "return []"),
    Guard("removal: a POST", "onboarding/views/removal.py", 'if request.method == "POST":', "if True:"),
    Guard("removal: what is gone is known", REMOVAL,
          "if device.release() and device.record_removed(at=now):", "if device.release():"),
    Guard("removal: 404 is gone", DEVICE_CALLS,
          'self._calls.send("delete_device", "DELETE", path, also_accept={404})',
          'self._calls.send("delete_device", "DELETE", path)'),
    Guard("removal: a refusal comes to staff", REMOVAL,
          "due_at=None if is_refusal and refusals >= MAX_REFUSALS else when,", "due_at=when,"),
    Guard("removal: asked again", REMOVAL,
          "due_at=None if is_refusal and refusals >= MAX_REFUSALS else when,", "due_at=None,"),
    Guard("removal: off first", REMOVAL, "due = Device.objects.off().filter(",
          "due = Device.objects.all().filter("),
    Guard("ownership: removing", "onboarding/views/removal.py",
          'own = Device.objects.for_customer(customer).select_related("attempt__consent")',
          'own = Device.objects.select_related("attempt__consent")'),
    # --- Evidence that was changed ---
    Guard("evidence: a withdrawal removed with its seal", "onboarding/models/consents.py",
          "is_changed = self.withdrawal_seal or self._was_withdrawn", "is_changed = self.withdrawal_seal", EVIDENCE),
    Guard("evidence: changed words are not mailed", "onboarding/letters.py",
          "plain(consent.text.body) if consent.examine() is Mark.INTACT else \"\"", "plain(consent.text.body)",
          ("tests/views/test_receipts.py::test_words_that_were_changed_are_not_mailed",)),
    # --- Leaving ---
    Guard("leaving: switches off", WITHDRAWAL, "device.want_optimization(is_wanted=False, now=now)", "pass"),
    Guard("confirming: only under a living consent", CONFIRMING,
          "        keeping.hold_consent(device.attempt)\n", "",
          also=(Edit(DEVICE_ROWS, "rows = Device.objects.filter(pk=self.pk, confirmed_at=None, removal_wanted_at=None)",
                     "rows = Device.objects.filter(pk=self.pk, confirmed_at=None)"),)),
    Guard("leaving: what turns up is undone", REMOVAL,
          "if _undo_what_turned_up(client, customer, user_id, now=now):", "if False:"),
    Guard("leaving: one answer is not believed", DEVICE_FLOW,
          "is_gone = not device.is_optimization_wanted and device.podero_id not in _named(\n"
          "            client, user_id, [device]\n        )",
          "is_gone = not device.is_optimization_wanted"),
    Guard("leaving: the user goes too", WITHDRAWAL, "customer.want_removal(now=now)", "pass"),
    Guard("leaving: devices before the user", REMOVAL, "        ~Exists(there),\n", ""),
    Guard("leaving: nothing goes on under the old consent", WITHDRAWAL,
          "Consent.objects.filter(podero_user=customer).withdraw(at=now)", "pass"),
    Guard("leaving: acknowledged by mail", WITHDRAWAL,
          "Mail.objects.create(consent=newest, kind=Mail.Kind.WITHDRAWAL, next_try_at=now)", "pass"),
    Guard("leaving: once", WITHDRAWAL, "if newest is not None or customer.withdrawn_at is None:", "if True:"),
    Guard("leaving: one reason", LEAVING, "if is_asked and reason in", "if reason in"),
    Guard("leaving: what remains is said", "onboarding/views/removal.py", '"makers": makers_of([device])',
          '"makers": []'),
    # --- Who is who ---
    Guard("hand-off: the e-mail is taken over", HANDOFF, "    _keep(visitor, customer, account)\n", ""),
    Guard("hand-off: the number alone tells who", HANDOFF,
          "PoderoUser.objects.select_related(\"account\")\n        .filter(external_user_id=visitor.external_user_id)",
          "PoderoUser.objects.select_related(\"account\")\n        .filter(email=visitor.email)"),
    Guard("ownership: submissions", OPT_IN,
          "except (IntegrityError, PoderoUser.DoesNotExist):\n"
          "        return OnboardingSession.objects.get(submission=submission, podero_user=customer)",
          "except (IntegrityError, PoderoUser.DoesNotExist):\n"
          "        return OnboardingSession.objects.get(submission=submission)"),
    Guard("hosts: listed ones", "config/settings.py", "ALLOWED_HOSTS = env.allowed_hosts(",
          'ALLOWED_HOSTS = ["*"] or env.allowed_hosts('),
    Guard("words: escaped", "templates/base.html",
          'width="160" height="40">{% else %}{{ brand.name }}{% endif %}',
          'width="160" height="40">{% else %}{{ brand.name|safe }}{% endif %}'),
)  # fmt: skip

"""What customers send. Labels and errors are words for people and live in the templates."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm

from onboarding.models.attempts import DEVICE_TYPES


class SignInForm(AuthenticationForm):
    """E-mail and password; the e-mail is the account's user name, in any letter case."""

    def clean_username(self) -> str:
        return str(self.cleaned_data["username"]).strip().lower()


class DeviceTypeForm(forms.Form):
    device_type = forms.ChoiceField(choices=DEVICE_TYPES, required=False)

    def chosen(self) -> str:
        """The device type asked for, or nothing where the address names none that exists."""
        return str(self.cleaned_data["device_type"]) if self.is_valid() else ""


class SubmissionForm(forms.Form):
    """One button press: the page is drawn with a number, so that a second press is the same."""

    submission = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4, required=False)

    def clean_submission(self) -> uuid.UUID:
        return self.cleaned_data["submission"] or uuid.uuid4()


class ConsentForm(SubmissionForm):
    device_type = forms.ChoiceField(choices=[("", ""), *DEVICE_TYPES], required=False)
    words = forms.CharField(widget=forms.HiddenInput)
    allows_control = forms.BooleanField()
    allows_data_exchange = forms.BooleanField()
    allows_reminder = forms.BooleanField(required=False)

    def __init__(self, *args: Any, words_digest: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._words_digest = words_digest

    def clean_words(self) -> str:
        """The wording that was on the page must be the one that is being agreed to."""
        digest = str(self.cleaned_data["words"])
        if digest != self._words_digest:
            raise forms.ValidationError("changed", code="changed")
        return digest

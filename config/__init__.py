"""Settings and entry points; nothing about onboarding itself."""

from config.celery import app as celery_app

__all__ = ["celery_app"]

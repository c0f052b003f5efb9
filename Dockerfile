# One image for web, worker, beat and migrations: the command says which. See docs/deploy.md.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN /opt/venv/bin/pip install --require-hashes --no-deps -r requirements.txt

FROM python:3.11-slim
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 VAR_DIR=/app/var
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin app \
    && install --directory --owner app --group app /app /app/var
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY manage.py gunicorn.conf.py ./
COPY config config
COPY onboarding onboarding
COPY templates templates
COPY static static
# By number, for otherwise Kubernetes cannot tell that it is not root.
USER 10001
# The settings refuse to start without these; nothing of them stays in the image.
RUN SECRET_KEY=only-for-this-step SITE_URL=https://build.invalid PODERO_AUTH_TOKEN=none \
    PODERO_ORG_ID=00000000-0000-4000-8000-000000000000 \
    python manage.py collectstatic --no-input --verbosity 0
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["gunicorn", "config.wsgi", "--bind", "0.0.0.0:8000"]

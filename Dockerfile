# One image for every process; the command says which: `python -m wallet_svc`,
# `python -m payment_svc migrate --phase pre`. Made of requirements.image.lock (every hash checked) and
# of the services alone: no compiler, no pip, no shell script at start, nothing that writes to the root.
#
#   docker build --build-arg VERSION=1.2.3 --build-arg REVISION=$(git rev-parse HEAD) -t qrpay:1.2.3 .
#
# The base is pinned by its full version. A tag can be moved by who owns it, a digest cannot; which digest
# a tag has today only its registry knows. So the release pipeline asks for it once, records it with
# the release, and hands it over: --build-arg PYTHON_IMAGE=python:3.11.15-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=python:3.11.15-slim-bookworm

# ---- What is installed -------------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS build
WORKDIR /source
COPY k8s/image/install.sh k8s/image/
COPY requirements.image.lock ./
RUN sh k8s/image/install.sh packages requirements.image.lock /opt/qrpay
# Our own code is a folder and a layer of its own: a release that changes no dependency is 3 MB.
COPY pyproject.toml README.md ./
COPY k8s/image/build.lock k8s/image/
COPY protos protos
COPY chassis chassis
COPY gateway gateway
COPY wallet_svc wallet_svc
COPY payment_svc payment_svc
COPY ledger_svc ledger_svc
COPY barcode_svc barcode_svc
RUN sh k8s/image/install.sh qrpay . /app

# ---- The system below it, without what only a build needs ---------------------------------------
FROM ${PYTHON_IMAGE} AS system
COPY k8s/image/strip.sh /tmp/strip.sh
RUN sh /tmp/strip.sh && rm /tmp/strip.sh

# ---- The image -----------------------------------------------------------------------------------
# From nothing, so that what was removed is in no layer below either: a copy of all is what we want.
FROM scratch AS image
# hadolint ignore=DL3067
COPY --from=system / /
COPY --from=build /opt/qrpay /opt/qrpay
COPY --from=build /app /app

# SAFEPATH: what lies in the current folder is never imported. No bytecode is written: it is there.
ENV PATH=/opt/qrpay/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/app \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LANG=C.UTF-8
WORKDIR /app
USER 10001:10001
STOPSIGNAL SIGTERM
# Kubernetes asks for itself, with probes, and each role has its own.
HEALTHCHECK NONE
CMD ["python", "-c", "raise SystemExit('say which process: python -m wallet_svc, ...')"]

ARG VERSION=0.0.0-dev
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG PYTHON_IMAGE
LABEL org.opencontainers.image.title="qrpay" \
      org.opencontainers.image.description="A QR-code payment backend that loses no money: every service of it." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"

# ---- The same for live development (Tiltfile): code may be written over, and is started anew -----
FROM image AS live
USER 0:0
COPY k8s/image/reload.py /opt/reload.py
# Bytecode that does not look at its source would hide every change.
RUN find /app -name __pycache__ -prune -exec rm -rf {} + && chown -R 10001:10001 /app
USER 10001:10001

# Last, so that it is what a build without --target makes.
FROM image

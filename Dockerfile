# syntax=docker/dockerfile:1
# With a base that is named by its digest, two builds of one commit are the same bytes (make image-test compares them).
ARG PYTHON_IMAGE=python:3.12-slim

FROM ${PYTHON_IMAGE} AS builder
ARG SOURCE_DATE_EPOCH=0
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv /opt/signing-proxy
COPY requirements.lock requirements-build.lock ./
RUN /opt/signing-proxy/bin/pip install --quiet --no-compile --require-hashes -r requirements-build.lock \
 && /opt/signing-proxy/bin/pip install --quiet --no-compile --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY proxy ./proxy
# What was needed to install is not needed to run.  Bytecode is made here because the root file system is read-only later;
# it carries no time, and neither do the files.
RUN /opt/signing-proxy/bin/pip install --quiet --no-compile --no-deps --no-build-isolation . \
 && /opt/signing-proxy/bin/pip uninstall --quiet --yes setuptools pip \
 && find /opt/signing-proxy -name __pycache__ -type d -prune -exec rm -rf {} + \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/signing-proxy/lib \
 && find /opt/signing-proxy -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="psd2-signing-proxy" \
      org.opencontainers.image.description="Seals unsigned calls to PSD2 bank APIs with the company's eIDAS key and sends exactly those bytes" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=builder /opt/signing-proxy /opt/signing-proxy
ENV PATH=/opt/signing-proxy/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
# Inside the container both ports listen on loopback, as everywhere; the configuration opens them to others.
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=4s --start-period=5s --retries=3 CMD ["signing-proxy", "health"]
ENTRYPOINT ["signing-proxy"]
CMD ["run"]

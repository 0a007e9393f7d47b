# syntax=docker/dockerfile:1
ARG PYTHON_IMAGE=python:3.12-slim

FROM ${PYTHON_IMAGE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv /opt/signing-proxy
COPY requirements.lock requirements-build.lock ./
RUN /opt/signing-proxy/bin/pip install --quiet --require-hashes -r requirements-build.lock \
 && /opt/signing-proxy/bin/pip install --quiet --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY proxy ./proxy
# What was needed to install is not needed to run; bytecode is made here because the root file system is read-only later.
RUN /opt/signing-proxy/bin/pip install --quiet --no-deps --no-build-isolation . \
 && /opt/signing-proxy/bin/pip uninstall --quiet --yes setuptools pip \
 && python -m compileall -q -j 0 /opt/signing-proxy/lib

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="psd2-signing-proxy" \
      org.opencontainers.image.description="Seals unsigned calls to PSD2 bank APIs with the company's eIDAS key and sends exactly those bytes" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=builder /opt/signing-proxy /opt/signing-proxy
ENV PATH=/opt/signing-proxy/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
# Inside the container both ports listen on loopback, as everywhere; the configuration opens the first to others.
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=4s --start-period=5s --retries=3 CMD ["signing-proxy", "health"]
ENTRYPOINT ["signing-proxy"]
CMD ["run"]

#!/usr/bin/env bash
# `make image-test`: the image of this folder, built twice on a base of Debian packages and run in pods.  It needs root,
# mmdebstrap, buildah, podman and runc, and takes a minute or two; no registry of images is asked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

for tool in mmdebstrap buildah podman runc; do
  command -v "$tool" >/dev/null || {
    echo "image-test: $tool is missing: apt-get install mmdebstrap buildah podman runc" >&2; exit 1; }
done

base=localhost/signing-proxy-base image=localhost/psd2-signing-proxy-test
work=.run/image
bundle=/etc/ssl/certs/ca-certificates.crt

# Python and what the Dockerfile's own commands need; no package is configured, as nothing else will run in it.
if ! podman image exists "$base"; then
  echo "image-test: making a base of Debian packages" >&2
  rm -rf "$work" && mkdir -p "$work"
  mmdebstrap --quiet --mode=root --variant=extract \
    --include=python3-minimal,python3-venv,dash,coreutils,findutils,ca-certificates,libc-bin bookworm "$work/root"
  mkdir -p "$work/root/etc/ssl/certs" "$work/root/tmp"
  chmod 1777 "$work/root/tmp"
  cp "$bundle" "$work/root/etc/ssl/certs/"
  ln -s python3 "$work/root/usr/bin/python"
  tar -C "$work/root" -c . | podman import --quiet --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin' - "$base" >/dev/null
  rm -rf "$work"
fi

# What pip is told on this machine, it must be told in the build as well.
mounts=(--volume "$bundle:$bundle:ro")
[ -e /etc/pip.conf ] && mounts+=(--volume /etc/pip.conf:/etc/pip.conf:ro)
if [ -d "${PIP_FIND_LINKS:-}" ]; then mounts+=(--volume "$PIP_FIND_LINKS:$PIP_FIND_LINKS:ro"); fi
for number in 1 2; do
  echo "image-test: build $number of 2" >&2
  buildah bud --quiet --no-cache --format docker --timestamp 0 --isolation chroot --pull-never \
    --build-arg "PYTHON_IMAGE=$base" "${mounts[@]}" --tag "$image:$number" . >/dev/null
done

SIGNING_PROXY_IMAGE="$image" SIGNING_PROXY_BASE="$base" \
  .venv/bin/python -m pytest -q -rs tests/deploy/test_image.py

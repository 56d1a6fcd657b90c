#!/bin/sh
# Builds builder/environment:o__n-py39-20220406-1a2b3c4d, and first what it stands on.
# BuildKit is used where docker has buildx, or as DOCKER_BUILDKIT (0 or 1) says: then certificates and the index's
# address reach downloads, which are cached; proxies do both ways. DOCKER names another program, like podman.
set -eu
cd "$(dirname "$0")"
docker="${DOCKER:-docker}"
buildkit="${DOCKER_BUILDKIT:-auto}"
if [ "$buildkit" = auto ]; then
    buildkit=0
    ! "$docker" buildx version > /dev/null 2>&1 || buildkit=1
fi
"$docker" image inspect builder/base:py3.9.18 > /dev/null 2>&1 || sh ../base-py3.9.18/build.sh

set -- --tag builder/environment:o__n-py39-20220406-1a2b3c4d
for name in HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy; do
    eval "value=\${$name:-}"
    [ -z "$value" ] || set -- "$@" --build-arg "$name=$value"
done
if [ "$buildkit" = 1 ]; then
    set -- "$@" --file Dockerfile.mounts
    settings="$(mktemp)"
    trap 'rm -f "$settings"' EXIT
    export -p | grep -E '^(export|declare -x) (UV_INDEX_URL|UV_DEFAULT_INDEX|UV_INDEX|UV_EXTRA_INDEX_URL|PIP_INDEX_URL|PIP_EXTRA_INDEX_URL)=' > "$settings" || true
    if [ -f "${SSL_CERT_FILE:-}" ]; then
        for name in SSL_CERT_FILE REQUESTS_CA_BUNDLE PIP_CERT CURL_CA_BUNDLE GIT_SSL_CAINFO; do
            echo "export $name=/run/secrets/certificates" >> "$settings"
        done
        set -- "$@" --secret id=certificates,src="$SSL_CERT_FILE"
    fi
    set -- "$@" --secret id=settings,src="$settings"
fi
DOCKER_BUILDKIT="$buildkit" "$docker" build "$@" .

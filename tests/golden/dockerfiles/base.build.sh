#!/bin/sh
# Builds builder/base:py3.9.18, and first what it stands on.
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

set -- --tag builder/base:py3.9.18
set -- "$@" --network none
DOCKER_BUILDKIT="$buildkit" "$docker" build "$@" .

#!/bin/sh
# Builds builder/instance:Project-X__n-1, and first what it stands on.
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
"$docker" image inspect builder/environment:o__n-py39-20220406-1a2b3c4d > /dev/null 2>&1 || sh ../environment-x/build.sh

set -- --tag builder/instance:Project-X__n-1
set -- "$@" --network none
if [ "$buildkit" = 1 ]; then
    set -- "$@" --file Dockerfile.mounts
fi
DOCKER_BUILDKIT="$buildkit" "$docker" build "$@" .

# Errors stop the build; nothing outside decides what git and uv do.
set -euo pipefail
umask 022
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 GIT_OPTIONAL_LOCKS=0
export UV_NO_CONFIG=1 UV_NO_PROGRESS=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never NO_COLOR=1
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYTHONDONTWRITEBYTECODE=1
build_git() {
    git -c gc.auto=0 -c maintenance.auto=false -c core.logAllRefUpdates=false -c core.hooksPath=/dev/null \
        -c core.fsmonitor=false -c core.checkStat=minimal -c fetch.unpackLimit=1 -c fetch.writeCommitGraph=false \
        -c pack.threads=1 -c transfer.bundleURI=false -c advice.detachedHead=false "$@"
}
fail() {
    echo "builder: $*" >&2
    exit 1
}

# A repository with exactly the history of 1111111111111111111111111111111111111111, on a branch of its own.
mkdir -p /testbed
cd /testbed
build_git init --quiet --initial-branch=main --template= .
mkdir -p .git/info
build_git fetch --quiet --no-tags --no-write-fetch-head --update-head-ok /context/history.bundle \
    refs/builder/1111111111111111111111111111111111111111:refs/heads/main
build_git checkout --quiet --force main
# Only the files of the recorded commits stay: the repositories of submodules hold newer history, too.
submodule_paths="$(build_git config --file .gitmodules --get-regexp '^submodule\..*\.path$' | cut -d ' ' -f 2-)"
while read -r path; do
    mkdir -p "$path" && find "$path" -mindepth 1 -delete
done <<< "$submodule_paths"
build_git -c protocol.file.allow=never submodule --quiet update --init --recursive
find . -path ./.git -prune -o -name .git -print0 | xargs -0 --no-run-if-empty rm -rf
rm -rf .git/modules
submodule_names="$(build_git config --name-only --get-regexp '^submodule\..*\.url$' | sed 's/\.url$//')"
while read -r name; do
    build_git config --remove-section "$name"
done <<< "$submodule_names"
# A clone can lack blobs and checkout still ends with 0.
lacking="$(build_git ls-files --stage | awk '$1 != "160000" {print $2}' | sort -u \
    | build_git cat-file --batch-check='%(objecttype)' | awk '$0 != "blob"' | wc -l)"
test "$lacking" = 0 || fail "1111111111111111111111111111111111111111 lacks $lacking blobs"
staged="$(build_git diff-index --cached --name-only 1111111111111111111111111111111111111111 --)"
test -z "$staged" || fail "the index is not 1111111111111111111111111111111111111111"
deleted="$(build_git ls-files --deleted)"
test -z "$deleted" || fail "files of 1111111111111111111111111111111111111111 are missing in the work tree"
build_git status --porcelain --untracked-files=no --ignore-submodules=dirty > .git/builder-status
rm .git/builder-status
# Nothing but the history of 1111111111111111111111111111111111111111 is in the repository: by ancestry, object for object.
test "$(build_git rev-parse HEAD)" = 1111111111111111111111111111111111111111 || fail "HEAD is not 1111111111111111111111111111111111111111"
test "$(build_git for-each-ref --format='%(refname) %(objectname)')" = "refs/heads/main 1111111111111111111111111111111111111111" \
    || fail "there are other refs than main: $(build_git for-each-ref --format='%(refname)' | head -n 5 | tr '\n' ' ')"
remotes="$(build_git remote)"
test -z "$remotes" || fail "there is a remote"
for path in modules packed-refs logs refs/stash refs/remotes FETCH_HEAD ORIG_HEAD MERGE_HEAD shallow objects/info/alternates; do
    test ! -e ".git/$path" || fail ".git/$path exists"
done
test -z "$(ls -A .git/refs/tags 2>/dev/null)" || fail "there are tags"
scratch="$(mktemp -d)"
build_git rev-list --objects --no-object-names 1111111111111111111111111111111111111111 | sort > "$scratch/reachable"
build_git cat-file --batch-all-objects --batch-check='%(objectname)' | sort > "$scratch/present"
unreachable="$(comm -13 "$scratch/reachable" "$scratch/present" | wc -l)"
test "$unreachable" = 0 || fail "$unreachable objects are not reachable from 1111111111111111111111111111111111111111"
missing="$(comm -23 "$scratch/reachable" "$scratch/present" | wc -l)"
test "$missing" = 0 || fail "$missing objects of 1111111111111111111111111111111111111111 are missing"
test -z "$(build_git fsck --unreachable --no-reflogs --connectivity-only 2>&1)" || fail "git fsck finds unreachable objects"
rm -r "$scratch"

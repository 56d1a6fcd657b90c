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
cd /testbed

# Only the objects that the commits after 1111111111111111111111111111111111111111 added, and the files that they changed: what only
# looks changed, since an engine keeps whole seconds of a file's times, would be written again.
build_git fetch --quiet --no-tags --no-write-fetch-head /context/history.bundle \
    refs/builder/2222222222222222222222222222222222222222:refs/builder/2222222222222222222222222222222222222222
build_git update-index -q --refresh
build_git checkout --quiet --force -B main refs/builder/2222222222222222222222222222222222222222
build_git update-ref -d refs/builder/2222222222222222222222222222222222222222
rmdir .git/refs/builder
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
test "$lacking" = 0 || fail "2222222222222222222222222222222222222222 lacks $lacking blobs"
staged="$(build_git diff-index --cached --name-only 2222222222222222222222222222222222222222 --)"
test -z "$staged" || fail "the index is not 2222222222222222222222222222222222222222"
deleted="$(build_git ls-files --deleted)"
test -z "$deleted" || fail "files of 2222222222222222222222222222222222222222 are missing in the work tree"
build_git status --porcelain --untracked-files=no --ignore-submodules=dirty > .git/builder-status
export UV_EXCLUDE_NEWER=2022-04-07T12:00:00Z VIRTUAL_ENV=/opt/env PATH="/opt/env/bin:$PATH"
# The package itself, without its dependencies: those come from the lock.
export A=1
export B='a b'
test -x /opt/env/bin/python || fail "there is no virtual environment"
make parsers
/opt/env/bin/python setup.py -q develop --no-deps
# The tree stays the commit's: what the build changed is put back, what it added is ignored locally.
changed="$(build_git status --porcelain --untracked-files=no --ignore-submodules=dirty)"
if test "$changed" != "$(cat .git/builder-status)"; then
    echo "builder: the build changed tracked files, which are put back:" && echo "$changed"
    build_git checkout --quiet --force 2222222222222222222222222222222222222222 -- .
    build_git reset --quiet
fi
rm -f .git/ORIG_HEAD
build_git ls-files --others --exclude-standard --directory --no-empty-directory | sed 's|^|/|' >> .git/info/exclude
test "$(build_git status --porcelain --ignore-submodules=dirty)" = "$(cat .git/builder-status)" \
    || fail "the work tree differs from 2222222222222222222222222222222222222222 after the build: $(build_git status --porcelain | head -n 5 | tr '\n' ' ')"
rm .git/builder-status
# Nothing but the history of 2222222222222222222222222222222222222222 is in the repository: by ancestry, object for object.
test "$(build_git rev-parse HEAD)" = 2222222222222222222222222222222222222222 || fail "HEAD is not 2222222222222222222222222222222222222222"
test "$(build_git for-each-ref --format='%(refname) %(objectname)')" = "refs/heads/main 2222222222222222222222222222222222222222" \
    || fail "there are other refs than main: $(build_git for-each-ref --format='%(refname)' | head -n 5 | tr '\n' ' ')"
remotes="$(build_git remote)"
test -z "$remotes" || fail "there is a remote"
for path in modules packed-refs logs refs/stash refs/remotes FETCH_HEAD ORIG_HEAD MERGE_HEAD shallow objects/info/alternates; do
    test ! -e ".git/$path" || fail ".git/$path exists"
done
test -z "$(ls -A .git/refs/tags 2>/dev/null)" || fail "there are tags"
scratch="$(mktemp -d)"
build_git rev-list --objects --no-object-names 2222222222222222222222222222222222222222 | sort > "$scratch/reachable"
build_git cat-file --batch-all-objects --batch-check='%(objectname)' | sort > "$scratch/present"
unreachable="$(comm -13 "$scratch/reachable" "$scratch/present" | wc -l)"
test "$unreachable" = 0 || fail "$unreachable objects are not reachable from 2222222222222222222222222222222222222222"
missing="$(comm -23 "$scratch/reachable" "$scratch/present" | wc -l)"
test "$missing" = 0 || fail "$missing objects of 2222222222222222222222222222222222222222 are missing"
test -z "$(build_git fsck --unreachable --no-reflogs --connectivity-only 2>&1)" || fail "git fsck finds unreachable objects"
rm -r "$scratch"

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
export UV_EXCLUDE_NEWER=2022-04-07T12:00:00Z

# What a build needs of the index has to be as old as the lock.
uv venv --quiet --allow-existing --python "$(command -v python3.9)" --prompt testbed /opt/env
export VIRTUAL_ENV=/opt/env PATH="/opt/env/bin:$PATH"
uv pip install --quiet --compile-bytecode \
    --no-deps --require-hashes \
    --exclude-newer-package atomicwrites=2022-07-09T00:00:00Z \
    --requirement /context/lock.txt

build_git status --porcelain --untracked-files=no --ignore-submodules=dirty > .git/builder-status
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
    build_git checkout --quiet --force 1111111111111111111111111111111111111111 -- .
    build_git reset --quiet
fi
rm -f .git/ORIG_HEAD
build_git ls-files --others --exclude-standard --directory --no-empty-directory | sed 's|^|/|' >> .git/info/exclude
test "$(build_git status --porcelain --ignore-submodules=dirty)" = "$(cat .git/builder-status)" \
    || fail "the work tree differs from 1111111111111111111111111111111111111111 after the build: $(build_git status --porcelain | head -n 5 | tr '\n' ' ')"
rm .git/builder-status

# Tests must import the work tree, not an installed copy (which can be newer than the commit).
installed="$(uv pip freeze --quiet --exclude-editable)"
if grep -iE '^own[-_.]project(==| @)' <<< "$installed"; then
    fail "Own.Project is also installed as a copy"
fi
/opt/env/bin/python -m pytest --version
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

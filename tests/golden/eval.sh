#!/bin/bash
set -uxo pipefail
# Runs the tests of one instance inside its image. Applies nothing: the patch to judge and the row's test_patch must
# be in place. What it prints between the markers is for a person or a log parser; it is no evidence against a
# hostile patch.
cd /testbed || exit 1
export PATH="/opt/env/bin:$PATH" LANG=C.UTF-8 TZ=UTC PYTHONHASHSEED=0
export A=1
export B='2 $x'
unset -v CI GITHUB_ACTIONS
test_files=()
# pytest refuses to run at all where one of its arguments is missing.
for name in \
  tests/test_a.py \
  $'tests/it\x27s \xe9.py'
do
  [ -e "${name%%::*}" ] && test_files+=("$name")
done
if [ "${test_files[*]}" = "" ]; then
  echo 'none of the test files exists'
  exit 4
fi
echo '>>>>> Start Test Output'
pytest -q -rA "${test_files[@]}"
code=$?; echo '>>>>> End Test Output'
exit "$code"

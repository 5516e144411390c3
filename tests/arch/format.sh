#!/bin/bash
# SPDX-License-Identifier: MIT
# All C is formatted by clang-format; every source says its licence; no file
# is longer than 500 lines.
set -u
cd "$(dirname "$0")/../.." || exit 2
files=$(git ls-files '*.c' '*.h' 2>/dev/null)
[ -n "$files" ] || files=$(find comm dataset proto trainer launch tests -name '*.[ch]')
bad=0
# shellcheck disable=SC2086
clang-format --dry-run -Werror $files || bad=1
for f in $files; do
    grep -q 'SPDX-License-Identifier: MIT' "$f" || { echo "$f: no licence line"; bad=1; }
    n=$(wc -l <"$f")
    [ "$n" -le 500 ] || { echo "$f: $n lines, more than 500"; bad=1; }
done
exit $bad

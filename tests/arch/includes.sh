#!/bin/bash
# SPDX-License-Identifier: MIT
# The include arrows of docs/architecture.md. Project includes are written from
# the repository root, so the folders of includer and included say it all.
set -u
cd "$(dirname "$0")/../.." || exit 2

may_include() { # folder -> folders it may include
    case $1 in
    comm/base) echo "comm/base" ;;
    comm) echo "comm comm/base" ;;
    dataset) echo "dataset comm/base" ;;
    proto) echo "proto comm/base" ;;
    trainer/kernels) echo "trainer/kernels" ;;
    trainer) echo "trainer trainer/kernels comm comm/base dataset proto" ;;
    trainer/word2vec) echo "trainer/word2vec trainer trainer/kernels comm comm/base dataset proto" ;;
    trainer/export) echo "trainer/export trainer/mlm trainer comm/base dataset proto" ;;
    trainer/mlm) echo "trainer/mlm trainer trainer/kernels comm comm/base dataset proto" ;;
    launch) echo "launch trainer trainer/word2vec trainer/mlm trainer/export comm comm/base dataset proto" ;;
    esac
}
door() { # system header -> the one folder that may see it
    case $1 in
    mpi.h) echo comm ;;
    lmdb.h | utf8proc.h | json-c/* | expat.h | zlib.h | isa-l/* | bzlib.h | lzma.h | zstd.h | zstd_errors.h) echo dataset ;;
    cblas.h | dnnl*.h) echo trainer/kernels ;;
    protobuf-c/* | *.pb-c.h) echo proto ;;
    xxhash.h | Random123/* | pthread.h) echo "any" ;;
    esac
}

bad=0
complain() {
    echo "$1"
    bad=1
}
check_file() {
    local file=$1 from includes inc to owner
    from=$(dirname "$file")
    includes=$(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]\([^">]*\)[">].*/\1/p' "$file")
    for inc in $includes; do
        owner=$(door "$inc")
        if [ -n "$owner" ] && [ "$owner" != any ] && [ "$owner" != "$from" ]; then
            complain "$file: includes <$inc>, which only $owner/ may see"
        fi
        if [ "$from" = trainer/kernels ]; then
            case $inc in
            stddef.h | stdint.h | math.h | string.h | cblas.h | dnnl*.h | trainer/kernels/*) ;;
            stdlib.h) [ "$file" = trainer/kernels/onednn.c ] || # oneDNN's handles
                complain "$file: includes <$inc>; kernels do not allocate" ;;
            *) complain "$file: includes <$inc>; kernels see arithmetic only" ;;
            esac
        fi
        to=$(dirname "$inc")
        case $to in comm | comm/* | dataset | proto | trainer | trainer/* | launch | tests/*) ;; *) continue ;; esac
        case $inc in *.pb-c.h) continue ;; esac
        case " $(may_include "$from") " in
        *" $to "*) ;;
        *) complain "$file: $from/ must not include $to/ ($inc)" ;;
        esac
    done
}
while read -r file; do check_file "$file"; done < <(
    find comm dataset proto trainer launch -name '*.[ch]' | LC_ALL=C sort)

# The test can fail: a file that breaks the rules is found.
probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
mkdir -p "$probe/proto"
printf '#include <mpi.h>\n#include "dataset/text.h"\n' >"$probe/proto/x.c"
found=$(cd "$probe" && bad=0 && check_file proto/x.c | wc -l)
[ "$found" = 2 ] || complain "this test no longer finds broken arrows ($found of 2)"

[ $bad = 0 ] && echo "include arrows: ok"
exit $bad

#!/bin/bash
# SPDX-License-Identifier: MIT
# Two ranks under launch/mpirun.sh: a bar where standard error is a terminal,
# plain lines where it is a file.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
command -v script >/dev/null || {
    echo "skipped: no script(1), which makes a terminal"
    exit 77
}
small_run "$shardbert" run 400
export SB_RANKS=2 SHARDBERT=$shardbert SB_PROGRESS_S=0.3 TERM=xterm LC_ALL=C.UTF-8
cat >train <<END
exec '$SB_SOURCE/launch/mpirun.sh' mlm --run run --init none --dim 64 --layers 2 --heads 2 --ffn 128 --positions 64 \
    --max-length 64 --batch 16 --slots 4 --steps 100 --eval-every 0 --checkpoint-every 0 >/dev/null
END
what='loss [0-9.]+  [0-9]+ tokens/s  [0-9]+ % of BLAS'

bash train 2>plain
rm -r run/mlm
grep -Eq "^mlm +[0-9.]+ %  step [0-9]+/100  $what  waiting [0-9]+ %.*  ETA [0-9]+s$" plain || fail "no plain line: $(cat plain)"
grep -q $'[\r\033]' plain && fail "a file has control characters: $(cat -v plain)"

# 160 columns; the bar is green, and NO_COLOR leaves that out
script -qec 'stty cols 160; bash train' /dev/null </dev/null >bars
rm -r run/mlm
grep -aEq $'\r\033\\[Kmlm      \033\\[32m(\u2501)+.* %  ETA [0-9]+s +step [0-9]+/100  '"$what" bars || fail "no bar: $(cat -v bars)"
NO_COLOR=1 script -qec 'stty cols 160; bash train' /dev/null </dev/null >bars
grep -aEq $'\r\033\\[Kmlm      (\u2501)*(\u2500)*  +[0-9.]+ %  ETA' bars || fail "no bar without colours: $(cat -v bars)"
grep -aq $'\033\\[3' bars && fail "colours in spite of NO_COLOR: $(cat -v bars)"
echo "a bar on a terminal, plain lines in a file"

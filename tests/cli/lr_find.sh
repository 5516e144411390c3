#!/bin/bash
# SPDX-License-Identifier: MIT
# The learning rate range test: the same table on any number of ranks, a
# suggestion that trains better than rates far from it, and not a byte of the
# run folder changed.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
small_run "$shardbert" base 600
# Without the unigram bias there is much to learn at once.
mlm=("$shardbert" mlm --run base --init none --unigram-bias=false --dim 32 --layers 1 --heads 2 --ffn 64
    --positions 64 --max-length 48 --batch 16 --slots 4 --vocab-block 150 --eval-samples 100 --log error)
"${mlm[@]}" --steps 3 >/dev/null
state() { find base -type f -exec md5sum {} + | sort; }
state >before

mpi 1 "${mlm[@]}" --lr-find >np1
mpi 3 "${mlm[@]}" --lr-find >np3
cmp np1 np3 || fail "3 ranks see another curve"
state | cmp - before || fail "the run folder was changed"
rm -rf base/mlm
"${mlm[@]}" --lr-find | cmp - np1 || fail "a checkpoint has a part in it"
[ ! -e base/mlm ] || fail "a folder was made"
tail -3 np1

# The table: a head, and rates that rise from one end to the other.
awk '/^ +[0-9.]+e/ { n++; if ($1 <= last) exit 1; last = $1 } END { exit n != 100 }' np1 ||
    fail "not a table: $(cat np1)"
head -2 np1 | tail -1 | grep -q '^ *1.00e-07 ' || fail "it does not begin at 1e-7"
tail -3 np1 | grep -q '^ *1.00e+00 ' || fail "it does not end at 1"
"${mlm[@]}" --lr-find --weight-decay 10 >early
grep -q 'from here on 4 times the least' early || fail "it did not end early"
[ "$(grep -c '^ *[0-9.]*e' early)" -lt 100 ] || fail "it did not end early"
grep -q 'no checkpoint was read, written or changed' np1 || fail "it does not say that nothing was changed"

# The suggestion lowers the loss more than a hundredth of it.
lr=$(sed -n 's/^suggestion: --lr \([^,]*\),.*Smith 2017.*/\1/p' np1)
after() {
    rm -rf base/mlm
    "${mlm[@]}" --steps 60 --lr "$1" | sed -n 's/.*after training *\([0-9.]*\) .*/\1/p'
}
python3 - "$lr" "$(after "$lr")" "$(after "$(python3 -c "print($lr / 100)")")" <<'END' || fail "a bad suggestion"
import sys
lr, good, slow = map(float, sys.argv[1:])
print(f"held-out loss after 60 steps with --lr {lr:g}: {good}, with a hundredth of it: {slow}")
sys.exit(not (1e-5 < lr < 0.1 and good < slow - 0.3))
END

expect 2 'lr-find-steps = 9 is out of range' "${mlm[@]}" --lr-find --lr-find-steps 9

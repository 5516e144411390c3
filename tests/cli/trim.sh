#!/bin/bash
# SPDX-License-Identifier: MIT
# trim: the smaller model encodes the text alike and gives the same logits, bit
# for bit, at every [MASK] and for every piece that stayed.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
small_run "$shardbert" run 1500
shape=(--dim 32 --layers 2 --heads 4 --ffn 48 --positions 64 --max-length 64 --batch 8 --slots 4)
"$shardbert" mlm --run run --init none "${shape[@]}" --steps 30 --lr 2e-3 --log error >/dev/null
cut() { "$shardbert" trim "$@"; }

# Words it knows, one that it does not, and text that is not lower case.
cat >task.txt <<'EOF'
You may [MASK] the Program, and [MASK] copies of it.
the license of unbelievably snow☃man software
EOF
# same FOLDER TEXT: the same pieces and logits of TEXT as the whole model's
same() {
    "$shardbert" encode --run run --pieces --specials <"$2" >pieces.old
    "$shardbert" encode --run "$1" --pieces --specials <"$2" >pieces.new
    cmp pieces.old pieces.new || fail "$1: other pieces"
    "$shardbert" encode --run run --specials <"$2" | "$SB_BUILD/tests/cli_dump_logits" run/mlm run/vocab/vocab.txt >old
    "$shardbert" encode --run "$1" --specials <"$2" |
        "$SB_BUILD/tests/cli_dump_logits" "$1/mlm" "$1/vocab/vocab.txt" >new
    /usr/bin/python3 - run/vocab/vocab.txt "$1/vocab/vocab.txt" <<'EOF' || fail "$1: other logits"
import array, sys
old, new = (open(p, encoding="utf-8").read().split("\n")[:-1] for p in sys.argv[1:])
x, y = (array.array("f", open(p, "rb").read()) for p in ("old", "new"))
at = {p: i for i, p in enumerate(old)}
n = len(y) // len(new)
assert n >= 1 and n == len(x) // len(old) and len(new) < len(old)
for k in range(n):
    for i, p in enumerate(new):
        a, b = k * len(old) + at[p], k * len(new) + i
        assert x[a:a + 1].tobytes() == y[b:b + 1].tobytes(), p
EOF
}
cut --run run --source text:task.txt small >told
grep -qE '^small: [0-9]{2} of 1500 pieces$' told || fail "$(cat told)"
same small task.txt
grep -qF '[UNK]' pieces.new || fail "no word is unknown"
mpi 3 "$shardbert" trim --run run --source text:task.txt small3 >/dev/null
[ "$("$shardbert" inspect small3/mlm --hash)" = "$("$shardbert" inspect small/mlm --hash)" ] || fail "other rows"

# A corpus: its own text is encoded alike, and its ids are all there.
cut --run run of-corpus >/dev/null 2>told
echo 'the [MASK] of the program' >text
same of-corpus text
"$shardbert" encode --run run --pieces <run/text.txt >pieces.old
"$shardbert" encode --run of-corpus --pieces <run/text.txt | cmp - pieces.old || fail "a corpus is encoded otherwise"
cut --run run --corpus run/corpus --source text:task.txt both >/dev/null 2>&1
[ "$(wc -l <both/vocab/vocab.txt)" -ge "$(wc -l <of-corpus/vocab/vocab.txt)" ] || fail "two inputs need less than one"
same both task.txt

# It is a run folder: it fills in, goes out, and is no training to go on with.
"$shardbert" fill --run small --log error 'the [MASK] of the program' | grep -qE '^ +[^ ]+ [0-9.]+ %' || fail "no fill"
"$shardbert" export --run small smaller >/dev/null
[ "$(stat -c %s smaller/model.safetensors)" -lt 120000 ] || fail "it is not smaller"
"$shardbert" ingest --run small --source text:run/text.txt --documents paragraph --held-out 0.1 --log error
hint 2 'hf:' "$shardbert" mlm --run small --init none "${shape[@]}" --steps 40 --log error

# ---- what cannot be ----------------------------------------------------------------
hint 2 'trim --run' cut --run run
hint 2 'another folder' cut --run run --source text:task.txt small
expect 3 "none" cut --run run --source text:none no
hint 3 '--source' cut --run run --corpus none no
hint 3 'mlm' cut --run run --checkpoint none no
expect 2 'another vocabulary' cut --run run --corpus small/corpus no
expect 2 'another vocabulary' cut --run run --vocab small/vocab/vocab.txt --source text:task.txt no
printf 'fine\n\xff\xfe\n' >bad.txt
expect 3 'records of .text:bad.txt. cannot be read' cut --run run --source text:bad.txt no
faulty() { SB_FAULT=$fault cut "$@"; }
for fault in write:1 write:3 fsync:4 rename:2 rename:5; do
    expect 3 'shardbert: error: cannot ' faulty --run run --source text:task.txt no
done
[ -z "$(find . -maxdepth 1 -name '.tmp*' -o -maxdepth 1 -name no)" ] || fail "a failure leaves $(ls -A)"
echo "trim: ok"

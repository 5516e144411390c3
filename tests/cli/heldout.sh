#!/bin/bash
# SPDX-License-Identifier: MIT
# The held-out set: losses and accuracies of all and by source are the same on
# any number of ranks, and fit together.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder

# Two sources of one kind and one of another; the second is the smallest.
small_text >one.txt
head -c 9000 one.txt | tac >two.txt
small_text | tac | grep . | awk '{ printf "%d\t%s\n", NR, $0 }' >three.tsv
sources=(--source text:one.txt --source text:two.txt --source tsv:three.tsv)
"$shardbert" vocab --run base "${sources[@]}" --documents paragraph --vocab-size 500 --log error
"$shardbert" ingest --run base "${sources[@]}" --documents paragraph --column 2 --held-out 0.3 \
    --block-tokens 1024 --log error

# train NAME NP OPTIONS...
train() {
    mpi "$2" "$shardbert" mlm --run "$1" --vocab base/vocab/vocab.txt --corpus base/corpus --init none \
        --dim 32 --layers 1 --heads 2 --ffn 64 --positions 64 --max-length 48 --batch 8 --slots 4 \
        --vocab-block 90 --steps 10 --lr 2e-3 --eval-samples 101 "${@:3}" >"$1.out" 2>"$1.err"
}
train np1 1 --eval-every 5
train np3 3 --eval-every 5
grep heldout_ np1/mlm/metrics.jsonl >expected
grep heldout_ np3/mlm/metrics.jsonl >this
[ "$(wc -l <expected)" = 3 ] || fail "not 3 evaluations"
cmp expected this || fail "np 3 sees another set, or other bits"

# What is told agrees with itself.
python3 - <<'END' || fail "the lines of metrics.jsonl do not fit together"
import json, math
for line in open("expected"):
    m = json.loads(line)
    names = ["text-1", "text-2", "tsv"]
    assert sorted(k[13:] for k in m if k.startswith("heldout_loss/")) == names, m
    assert abs(math.log(m["heldout_perplexity"]) - m["heldout_loss"]) < 1e-6, m
    for kind in "loss", "accuracy":
        by = [m[f"heldout_{kind}/{n}"] for n in names]
        assert min(by) - 1e-9 <= m[f"heldout_{kind}"] <= max(by) + 1e-9, m
assert 0 < m["heldout_accuracy"] < 1, m
END
grep -q 'held-out loss [0-9.]*, perplexity [0-9.]*, accuracy [0-9.]* % after 10 steps .* of 10[1-3] documents' np1.err ||
    fail "no line of the evaluation: $(cat np1.err)"
grep -q 'by source: text-1 [0-9.]* (.* %), text-2 .*, tsv ' np1.err || fail "no line by source: $(cat np1.err)"
grep -q 'accuracy, then .* % of the masked tokens' np1.out || fail "no accuracy: $(cat np1.out)"
echo "held-out set: the same on 1 and 3 ranks"

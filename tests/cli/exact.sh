#!/bin/bash
# SPDX-License-Identifier: MIT
# The claim of docs/architecture.md: the same bits on any number of ranks and
# threads, for any micro-batch, and after stop and resume at another np. 20
# steps with dropout; hashes over all weights and moments, and every step's
# loss.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
small_run "$shardbert" "$tmp/base" 600
mpi 2 "$shardbert" word2vec --run "$tmp/base" --dim 64 --epochs 1 --log error

corpus=$tmp/base/corpus
# train NAME NP OPTIONS...: of two options of one name the second counts
train() {
    local name=$1 np=$2
    shift 2
    mpi "$np" "$shardbert" mlm --run "$tmp/$name" --log error \
        --vocab "$tmp/base/vocab/vocab.txt" --corpus "$corpus" \
        --init "$tmp/base/word2vec" --dim 64 --layers 2 --heads 4 --ffn 128 \
        --positions 64 --max-length 48 --batch 22 --slots 9 --vocab-block 150 --head-group 60 \
        --steps 20 --lr 2e-3 --warmup 4 --clip 1 --weight-decay 0.01 \
        --eval-every 10 --eval-samples 40 --checkpoint-every 7 "$@" >/dev/null
}
# what NAME: one hash over the state, and the losses of all steps
what() {
    "$shardbert" inspect "$tmp/$1/mlm" --hash
    sed -n 's/.*"step":\([0-9]*\).*"loss":\([^,]*\).*/\1 \2/p' "$tmp/$1/mlm/metrics.jsonl"
    grep -o '"heldout_loss":[^,]*' "$tmp/$1/mlm/metrics.jsonl"
}
same() {
    what "$1" >"$tmp/this"
    cmp -s "$tmp/expected" "$tmp/this" ||
        { diff "$tmp/expected" "$tmp/this" | head -5; fail "$1 differs from np 1"; }
    echo "$1: $(head -1 "$tmp/this"), the same"
}

train np1 1
what np1 >"$tmp/expected"
[ "$(wc -l <"$tmp/expected")" = 24 ] || fail "not 20 losses and 3 evaluations"
for np in 2 3 4 6 8; do
    train "np$np" "$np"
    same "np$np"
done
train threads 1 --threads 3
same threads
train np2threads 2 --threads 2 --micro-batch 4
same np2threads
train micro 1 --micro-batch 1
same micro

# A memory limit chooses the micro-batch, and says so.
train limited 2 --memory-limit 5M --log info 2>"$tmp/limited.log"
grep -q 'micro-batch of [1-9] sequences a rank' "$tmp/limited.log" ||
    { cat "$tmp/limited.log"; fail "the memory limit changed nothing"; }
same limited

train resumed 3 --stop-at 7
train resumed 1 --stop-at 12
train resumed 4
same resumed

# The test can fail: another seed gives other bits.
train other 1 --seed 2
what other >"$tmp/this"
cmp -s "$tmp/expected" "$tmp/this" && fail "another seed gives the same hash"

# MPI's own sums: other bits, the same training.
train fast 3 --reduce fast
paste <(grep -o '"loss":[^,]*' "$tmp/np1/mlm/metrics.jsonl") <(grep -o '"loss":[^,]*' "$tmp/fast/mlm/metrics.jsonl") |
    tr -d '":a-z' | awk '{ d = ($1 - $2) / $1; if (d * d > 1e-8) bad++ } END { exit bad || NR != 20 }' ||
    fail "--reduce fast is another training"
echo "fast: losses within 1e-4"

# Another weight gives another epoch, the same for any number of ranks.
weigh() {
    "$shardbert" ingest --run "$tmp/base" --source "text:$tmp/base/text.txt:$1" --documents paragraph \
        --held-out 0.1 --block-tokens 1024 --log error
}
weigh 1.7
train weighted 1
cp "$tmp/expected" "$tmp/of-weight-1"
what weighted >"$tmp/expected"
cmp -s "$tmp/expected" "$tmp/of-weight-1" && fail "a weight changes nothing"
train weighted3 3 --stop-at 8
train weighted3 2
same weighted3
weigh 1

# A frozen table does not move, everything else does, for any number of ranks.
train frozen 2 --freeze-table
"$shardbert" inspect "$tmp/frozen/mlm" >"$tmp/this"
grep -q 'adam.m/distilbert.embeddings.word_embeddings.weight .* norm 0$' "$tmp/this" ||
    fail "the frozen table has moments"
grep -q 'frozen/distilbert.embeddings.word_embeddings.weight *u64' "$tmp/this" ||
    fail "the frozen table's hash is not in the checkpoint"
what frozen >"$tmp/expected"
train frozen1 1 --freeze-table
same frozen1
train frozen3 3 --freeze-table --stop-at 8
train frozen3 1 --freeze-table
same frozen3

# Documents of one word: every slot looks up [CLS] and [SEP] and one row more,
# and most slots have nothing that is masked.
awk '/^[a-z]+$/ && length > 2' "$tmp/base/vocab/vocab.txt" >"$tmp/words.txt"
"$shardbert" ingest --run "$tmp/words" --source "text:$tmp/words.txt" --held-out 0.2 \
    --vocab "$tmp/base/vocab/vocab.txt" --log error
corpus=$tmp/words/corpus
words=(--init none --batch 9 --clip 0)
train words 1 "${words[@]}"
what words >"$tmp/expected"
grep -o '"masked":[0-9]*' "$tmp/words/mlm/metrics.jsonl" | grep -q ':[0-4]$' ||
    fail "no step has fewer masked tokens than ranks"
for np in 3 8; do
    train "words$np" "$np" "${words[@]}"
    same "words$np"
done

# One word in the whole batch.
train word 1 "${words[@]}" --batch 1 --slots 1 --mask-prob 0.5
what word >"$tmp/expected"
train word2 1 "${words[@]}" --batch 1 --slots 1 --mask-prob 0.5 --threads 2 --stop-at 9
train word2 1 "${words[@]}" --batch 1 --slots 1 --mask-prob 0.5
same word2

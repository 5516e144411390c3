#!/bin/bash
# SPDX-License-Identifier: MIT
# show-batch: what it shows is what mlm trains on, for all kinds of samples; and
# mlm trains on each of them to the same bits on any number of ranks.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
small_run "$shardbert" base 600
own=(--vocab base/vocab/vocab.txt --corpus base/corpus --batch 8 --max-length 48 --log error)
show() { "$shardbert" show-batch "${own[@]}" "$@"; }

# train NAME NP OPTIONS...
train() {
    mpi "$2" "$shardbert" mlm --run "$1" "${own[@]}" --init none --dim 32 --layers 1 --heads 2 --ffn 64 \
        --positions 64 --slots 4 --eval-every 0 --eval-samples 5 --steps 4 --lr 1e-3 "${@:3}" >/dev/null
}

# Of each step, the tokens masked in all: as shown, and as mlm tells.
kinds=('' --pack --whole-word '--pack --whole-word' '--max-chars 60' '--max-chars 60 --whole-word')
for i in "${!kinds[@]}"; do
    read -ra kind <<<"${kinds[i]}"
    train "run$i" 1 "${kind[@]}"
    train "ranks$i" 3 "${kind[@]}"
    [ "$("$shardbert" inspect "run$i/mlm" --hash)" = "$("$shardbert" inspect "ranks$i/mlm" --hash)" ] ||
        fail "'${kinds[i]}' on 3 ranks gives other bits"
    for step in 0 1 2 3; do
        show --step $step "${kind[@]}" >shown
        sed -n 's/.* tokens; masked \([0-9]*\), .*/\1/p' shown
    done >shown_masked
    sed -n 's/.*"masked":\([0-9]*\).*/\1/p' "run$i/mlm/metrics.jsonl" >trained_masked
    [ "$(wc -l <trained_masked)" = 4 ] || fail "not four steps"
    cmp shown_masked trained_masked || fail "'${kinds[i]}': not what mlm trained on"
    show --step 2 "${kind[@]}" --ids >"ids$i"
done
[ "$(cat ids? | sort -u | wc -l)" -ge 40 ] || fail "all kinds are alike"

# Two ranks say it once; some samples are the first of all.
cmp ids1 <(mpi 2 "$shardbert" show-batch "${own[@]}" --step 2 --pack --ids) || fail "two ranks show something else"
cmp <(head -3 ids3) <(show --step 2 --samples 3 --pack --whole-word --ids) || fail "not the first three"

# Pieces and ids are the same thing, and follow the options; a packed epoch is the corpus.
show --step 2 --pack --whole-word >shown
epoch=$(sed -n 's/.*; an epoch has \([0-9]*\) (packed); masked word by word$/\1/p' shown)
[ -n "$epoch" ] || fail "no head line"
show --batch "$epoch" --pack --whole-word --ids >packed
"$shardbert" inspect base/corpus --sample 1000 >documents
show --batch 229 --max-length 512 --max-chars 60 --ids >short
python3 - <<'END' || fail "not what the options ask for"
import re
vocab = open("base/vocab/vocab.txt").read().split("\n")[:-1]
number = {p: i for i, p in enumerate(vocab)}
cls, sep, mask = (number[x] for x in ("[CLS]", "[SEP]", "[MASK]"))

def read(name):
    for line in open(name):
        g, *lists = line.rstrip("\n").split("\t")
        ids, places, targets = ([int(x) for x in l.split()] for l in lists)
        assert len(places) == len(targets) and places == sorted(set(places))
        true = list(ids)
        for p, t in zip(places, targets):
            true[p] = t
        assert true[0] == cls and true[-1] == sep
        yield int(g), ids, places, true

# the text form of the samples in ids3
samples = re.findall(r"^sample (\d+): (\d+) tokens, (\d+) masked\n(.*)\n", open("shown").read(), re.M)
rows = list(read("ids3"))
assert len(samples) == len(rows) == 8
for (g, tokens, masked, text), (h, ids, places, true) in zip(samples, rows):
    assert int(g) == h and int(tokens) == len(ids) and int(masked) == len(places)
    want = [vocab[i] + ("{%s}" % vocab[t] if p in places else "")
            for p, (i, t) in enumerate(zip(ids, true))]
    assert text == " ".join(want), (text, want)

# an epoch: every token of the corpus once, words masked whole, the shares
found, words, chosen, tokens = {}, 0, 0, 0
for g, ids, places, true in read("packed"):
    assert len(true) <= 48
    for p, t in enumerate(true):
        if t in (cls, sep):
            assert p not in places
            continue
        found[t] = found.get(t, 0) + 1
        tokens += 1
        chosen += p in places
        if vocab[t].startswith("##") and true[p - 1] not in (cls, sep, number["[UNK]"]):
            words += 1
            assert (p in places) == (p - 1 in places)
have = {}
for pieces in re.findall(r"^  pieces: (.*)$", open("documents").read(), re.M):
    for p in pieces.split():
        have[number[p]] = have.get(number[p], 0) + 1
assert found == have and words > 1000, (words, len(found), len(have))
assert 0.11 < chosen / tokens < 0.19, chosen / tokens

# 60 characters: some text begins before the 60th, none much later
def chars(true):
    text = re.sub(r" ##| ([.,;:)'/-])", r"\1", " ".join(vocab[t] for t in true[1:-1]))
    return len(text)
lengths = [chars(true) for *_, true in read("short")]
assert max(lengths) < 85 and sum(55 < l < 80 for l in lengths) > 100, sorted(lengths)
END

# A run with other options says so; questions that have no answer.
"$shardbert" show-batch --run run1 --vocab base/vocab/vocab.txt --corpus base/corpus --samples 1 >/dev/null 2>said
grep -q 'warning: batch = 64, but the newest checkpoint was made with 8' said || fail "no warning: $(cat said)"
"$shardbert" vocab --run other --source text:base/text.txt --vocab-size 300 --log error
hint 3 'shardbert vocab' "$shardbert" show-batch --run none
hint 3 'shardbert ingest' "$shardbert" show-batch --run none --vocab base/vocab/vocab.txt
expect 2 'encoded with another vocabulary' mpi 2 "$shardbert" show-batch --run base --vocab other/vocab/vocab.txt
expect 2 'no step 250000: the steps are 0 .. 249999' show --step 250000
expect 2 'samples = 9 is more than batch = 8' show --samples 9
expect 4 'beyond all sample numbers' show --steps 9e15 --step 8999999999999999 --batch 1000000
hint 2 '--max-chars 0, or --pack false' show --pack --max-chars 1000
hint 2 '--max-chars 0, or --pack false' mpi 2 "$shardbert" mlm --run new "${own[@]}" --pack --max-chars 1000
hint 2 'lower --batch' mpi 2 "$shardbert" mlm --run new "${own[@]}" --pack --batch 1000
expect 2 "'--dim' has no meaning" show --dim 3

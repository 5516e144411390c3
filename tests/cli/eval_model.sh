#!/bin/bash
# SPDX-License-Identifier: MIT
# eval of a model: the held-out loss is the one that training found, by source
# too; frequency bands are its parts; a sentence's pseudo-likelihood is the sum
# over its tokens, each masked in turn; all the same on any number of ranks.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
small_text >text.txt
head -n 400 text.txt >one.txt
tail -n +401 text.txt >two.txt
make_run() { # make_run RUN SOURCE...
    local run=$1
    shift
    "$shardbert" vocab --run "$run" "$@" --documents paragraph --vocab-size 1500 --log error
    "$shardbert" ingest --run "$run" "$@" --documents paragraph --held-out 0.2 --block-tokens 1024 --log error
}
make_run run --source text:one.txt --source text:two.txt
shape=(--init none --dim 32 --layers 2 --heads 4 --ffn 48 --positions 64 --max-length 48 --batch 8 --slots 4)
"$shardbert" mlm --run run "${shape[@]}" --steps 60 --lr 4e-3 --mask-prob 0.25 --log error >/dev/null
ev() { "$shardbert" eval --log error "$@"; }

# ---- held-out text -------------------------------------------------------------
ev --run run --mlm >told
/usr/bin/python3 - <<'EOF' || fail "not the figures of training: $(cat told)"
import json, math, re
last = [json.loads(l) for l in open("run/mlm/metrics.jsonl")][-1]
rows = {}
for line in open("told"):
    m = re.match(r"  (\S.*?) +(\d+) +([0-9.]+) +([0-9.]+) +([0-9.]+) %$", line)
    if m:
        rows[m[1]] = int(m[2]), float(m[3]), float(m[4]), float(m[5]) / 100
assert re.search(r"unigram distribution +%.4f " % last["unigram_loss"], open("told").read())
n, loss, perplexity, accuracy = rows["all"]
def equal(row, name):
    assert abs(row[1] - last["heldout_loss" + name]) < 6e-5, name
    assert abs(row[3] - last["heldout_accuracy" + name]) < 6e-5, name
equal(rows["all"], "")
assert abs(perplexity / math.exp(loss) - 1) < 1e-3
for s in ("text-1", "text-2"):
    equal(rows["source " + s], "/" + s)
for kind in ("source ", "pieces "):
    parts = [r for k, r in rows.items() if k.startswith(kind)]
    assert len(parts) >= 2 and sum(r[0] for r in parts) == n, kind
    assert abs(sum(r[0] * r[1] for r in parts) / n - loss) < 1e-3, kind
    assert abs(sum(r[0] * r[3] for r in parts) / n - accuracy) < 1e-3, kind
assert rows["pieces 1 to 100"][1] < rows["pieces 101 to 1000"][1]
EOF
mpi 3 "$shardbert" eval --run run --mlm --threads 2 --log error | cmp - told || fail "three ranks say otherwise"
ev --run run --mlm --checkpoint run/mlm/ckpt-000000060 | cmp - told || fail "a checkpoint by its name says otherwise"
ev --run run --mlm --eval-samples 20 >few
grep -q '^masked tokens of 20 held-out documents' few || fail "$(cat few)"

# ---- sentences -----------------------------------------------------------------
cat >lines <<'EOF'
The work of the Program

you may copy, modify and distribute it
xx ☃
EOF
ev --run run --sentences lines >told
"$shardbert" encode --run run --specials <lines >ids
/usr/bin/python3 - >masked <<'EOF' # each token of each sentence masked in turn
mask = open("run/vocab/vocab.txt", encoding="utf-8").read().split("\n").index("[MASK]")
for line in open("ids"):
    ids = line.split()
    for i in range(1, len(ids) - 1):
        print(*ids[:i], mask, *ids[i + 1:])
EOF
"$SB_BUILD/tests/cli_dump_logits" run/mlm run/vocab/vocab.txt <masked >logits
/usr/bin/python3 - <<'EOF' || fail "another pseudo-likelihood: $(cat told)"
import array, math
V = open("run/vocab/vocab.txt", encoding="utf-8").read().count("\n")
x, at, want, tokens, text = array.array("f", open("logits", "rb").read()), 0, [], [], []
for line, words in zip(open("ids"), open("lines", encoding="utf-8")):
    total = 0.0
    for target in map(int, line.split()[1:-1]):
        row = x[at * V:(at + 1) * V]
        total += row[target] - math.log(math.fsum(math.exp(v) for v in row))
        at += 1
    if len(line.split()) > 2:
        want.append(total), tokens.append(len(line.split()) - 2), text.append(words.rstrip("\n"))
assert at * V == len(x) and len(want) == 3
rows = [l.rstrip("\n").split("\t") for l in open("told", encoding="utf-8")][1:]
for (p, n, ppl, s), w, t, line in zip(rows, want, tokens, text):
    assert abs(float(p) - w) < 1e-3 and int(n) == t and s == line
    assert abs(float(ppl) / math.exp(-w / t) - 1) < 1e-3
end = rows[-1][0].split()
assert abs(float(end[1]) / math.exp(-sum(want) / sum(tokens)) - 1) < 1e-3
assert end[3] == "3" and int(end[5]) == sum(tokens)
assert abs(float(end[7]) + sum(want) / sum(map(len, text))) < 1e-4
EOF
mpi 4 "$shardbert" eval --run run --sentences lines --log error | cmp - told || fail "four ranks say otherwise"
printf 'you may\r\n' >crlf
ev --run run --sentences crlf | sed -n 2p | grep -qP '\tyou may$' || fail "a line end is text"
ev --run run --sentences lines --mlm | grep -q 'by frequency in training' || fail "not both"

# ---- what cannot be judged --------------------------------------------------------
hint 3 'mlm' ev --run run --mlm --checkpoint none
hint 3 'vocab' ev --run none --mlm
hint 3 'ingest' ev --run run --mlm --corpus none
expect 3 "'none'" ev --run run --sentences none
printf 'fine\n\xff\n' >bad
expect 3 'line 2 of the sentences is not valid UTF-8' ev --run run --sentences bad
printf '\n \n' >blank
expect 2 'hold no token' ev --run run --sentences blank
yes the | head -n 63 | tr '\n' ' ' >long
expect 2 'has 65 tokens, the model 64' ev --run run --sentences long
expect 2 'has 65 tokens' mpi 2 "$shardbert" eval --run run --sentences long --log error
make_run other --source text:one.txt
hint 2 'own vocabulary' ev --run run --mlm --vocab other/vocab/vocab.txt
hint 2 '--corpus' ev --run run --mlm --corpus other/corpus
echo "eval of a model: ok"

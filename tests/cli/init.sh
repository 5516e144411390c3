#!/bin/bash
# SPDX-License-Identifier: MIT
# mlm --init: word vectors from files of all forms are those of the run they
# came from; a model of another vocabulary, order, precision and with other
# names gives its rows by the text of its pieces; and what does not fit is said.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
small_run "$shardbert" run 1500
"$shardbert" word2vec --run run --dim 32 --epochs 1 --log error
shape=(--dim 32 --layers 2 --heads 4 --ffn 48 --positions 64)
short=(--max-length 64 --batch 8 --slots 4 --steps 1 --lr 1e-30)
with=(--corpus run/corpus --vocab run/vocab/vocab.txt "${short[@]}")
# start NAME OPTION...: the first weights, and what is said of them
start() {
    local name=$1
    shift
    rm -rf "$name"
    "$shardbert" mlm --run "$name" "${with[@]}" "$@" >/dev/null 2>"$name.told" || fail "$(cat "$name.told")"
}
hash_of() { "$shardbert" inspect "$1/mlm" --hash; }

# ---- files of word vectors -------------------------------------------------------
start of-run "${shape[@]}" --init run/word2vec
want=$(hash_of of-run)
"$shardbert" export --run run --format word2vec v.txt >/dev/null
"$shardbert" export --run run --format word2vec --binary v.bin >/dev/null
rows=$(($(wc -l <v.txt) - 1))
gzip -kc v.txt >v.txt.gz
# As fastText ends its lines; and binary without line feeds between the rows.
sed '1!s/$/ /' v.txt >v.vec
/usr/bin/python3 - <<'EOF'
b = open("v.bin", "rb").read()
at = b.index(b"\n") + 1
n, dim = map(int, b[:at].split())
out = bytearray(b[:at])
for _ in range(n):
    end = b.index(b" ", at) + 1 + 4 * dim
    out += b[at:end]
    assert b[end:end + 1] == b"\n"
    at = end + 1
open("v.glued", "wb").write(out)
EOF
for file in v.txt v.bin v.txt.gz v.vec v.glued; do
    start file "${shape[@]}" --init word2vec:$file
    [ "$(hash_of file)" = "$want" ] || fail "$file: other weights than the run's"
    grep -q "^shardbert: $rows of the $rows words in $file are pieces" file.told || fail "$(cat file.told)"
    grep -q "$rows of 1500 token rows found there, the others start from chance" file.told || fail "$(cat file.told)"
done
rm -rf file
mpi 3 "$shardbert" mlm --run file "${with[@]}" "${shape[@]}" --vocab-block 200 --init word2vec:v.bin --log error >/dev/null
start blocks "${shape[@]}" --vocab-block 200 --init run/word2vec
[ "$(hash_of file)" = "$(hash_of blocks)" ] || fail "three ranks: other weights"
# Words of others do not matter, nor a word that comes again, nor the order.
{
    echo "$((rows + 3)) 32"
    sed 1d v.txt | tac
    sed -n '2s/^[^ ]*/no-such-word/p; 3s/^[^ ]*/[MASK]/p' v.txt
    sed -n '2p' v.txt | sed 's/ [0-9.e-]*$/ 7/'
} >mixed
start mixed-run "${shape[@]}" --init word2vec:mixed
[ "$(hash_of mixed-run)" = "$want" ] || fail "mixed: other weights"
try() { "$shardbert" mlm --run bad "${with[@]}" "$@"; }
hint 2 '--dim 32' try --init word2vec:v.txt --dim 48 --layers 1 --heads 4
expect 3 "'none'" try "${shape[@]}" --init word2vec:none
expect 3 "'run/text.txt' does not begin" try "${shape[@]}" --init word2vec:run/text.txt
head -c 5000 v.bin >cut.off
expect 3 "'cut.off' is cut off" try "${shape[@]}" --init word2vec:cut.off
expect 3 "'cut.off' is cut off" mpi 2 "$shardbert" mlm --run bad "${with[@]}" "${shape[@]}" --init word2vec:cut.off

# ---- models of others ------------------------------------------------------------
"$shardbert" mlm --run run "${shape[@]}" --max-length 64 --batch 8 --slots 4 --steps 20 --lr 2e-3 --log error >/dev/null
"$shardbert" export --run run model >/dev/null
# The same model as somebody else might have it: the vocabulary in reverse
# order, a fifth of the pieces replaced, rows behind the last; and what other
# programs do to names, precision and heads.
/usr/bin/python3 - "$SB_SOURCE/tests/golden" <<'EOF'
import array, json, os, sys
sys.path.insert(0, sys.argv[1])
import safetensors
E, T, B = "distilbert.embeddings.", "distilbert.embeddings.word_embeddings.weight", "vocab_projector.bias"
pieces = open("model/vocab.txt", encoding="utf-8").read().split("\n")[:-1]
t = safetensors.read("model/model.safetensors")
D = t[T][0][1]

def save(name, tensors, vocab, dtype="F32", size=None):
    os.mkdir(name)
    config = json.load(open("model/config.json"))
    config["vocab_size"] = size or len(vocab)
    json.dump(config, open(f"{name}/config.json", "w"))
    open(f"{name}/vocab.txt", "w", encoding="utf-8").write("".join(p + "\n" for p in vocab))
    safetensors.write(f"{name}/model.safetensors", tensors, dtype)

order = list(reversed(range(len(pieces))))
vocab = [f"other{i}" if i % 5 == 2 and i > 4 else pieces[i] for i in order]
rows, bias = array.array("f"), array.array("f")
for i in order:
    rows += t[T][1][i * D:(i + 1) * D]
    bias.append(t[B][1][i])
rows += array.array("f", [9.0] * (7 * D))
bias += array.array("f", [9.0] * 7)
other = dict(t)
other[T], other[B] = ([len(order) + 7, D], rows), ([len(order) + 7], bias)
save("reversed", other, vocab, size=len(order) + 7)
save("brain", other, vocab, "BF16", len(order) + 7)
save("headless", {n.removeprefix("distilbert."): x for n, x in t.items() if not n.startswith("vocab_")}, pieces)
judge = {n: x for n, x in t.items() if not n.startswith("vocab_")}
judge["pre_classifier.weight"] = [D, D], array.array("f", [1.0] * D * D)
judge["classifier.bias"] = [3], array.array("f", [1.0] * 3)
save("judge", judge, pieces)
save("lame", {n: x for n, x in t.items() if "layer.1.ffn.lin2.bias" not in n}, pieces)
thin = dict(t)
thin[E + "LayerNorm.bias"] = [D - 1], t[E + "LayerNorm.bias"][1][:D - 1]
save("thin", thin, pieces)
EOF
for name in model reversed brain headless judge; do
    start at-$name --init hf:$name
done
start at-chance "${shape[@]}" --init none
for name in model reversed brain headless judge chance; do
    "$shardbert" export --run at-$name --vocab run/vocab/vocab.txt at-$name.out >/dev/null
done
cmp at-model.out/model.safetensors model/model.safetensors || fail "a model is not taken as it is"
cmp at-judge.out/model.safetensors at-headless.out/model.safetensors || fail "a classifier's encoder is another one"
grep -q '1201 of 1500 token rows found there' at-reversed.told || fail "$(cat at-reversed.told)"
grep -q '^shardbert: 4 tensors start from chance, as it does not have them: vocab_transform.weight, ...$' \
    at-headless.told || fail "$(cat at-headless.told)"
grep -q '2 of its tensors are no part of a masked language model' at-judge.told || fail "$(cat at-judge.told)"
/usr/bin/python3 - "$SB_SOURCE/tests/golden" <<'EOF' || fail "rows and pieces do not go together"
import array, sys
sys.path.insert(0, sys.argv[1])
import safetensors
T, B = "distilbert.embeddings.word_embeddings.weight", "vocab_projector.bias"
get = lambda name: safetensors.read(f"{name}/model.safetensors")
model, chance = get("model"), get("at-chance.out")
V, D = model[T][0]
cut = lambda x: array.array("f", array.array("I", (v & 0xffff0000 for v in array.array("I", x.tobytes()))).tobytes())
near = lambda x, y: len(x) == len(y) and all(abs(a - b) < 1e-20 for a, b in zip(x, y))  # the step moves zeros
for name in ("reversed", "brain", "headless"):
    here, same = get(f"at-{name}.out"), cut if name == "brain" else lambda x: x
    for n, (shape, x) in model.items():
        assert here[n][0] == shape, n
        given = name != "headless" or not n.startswith("vocab_")
        if n not in (T, B):
            assert near(here[n][1], same(x) if given else chance[n][1]), (name, n)
    for i in range(V):
        missing = name != "headless" and i % 5 == 2 and i > 4
        row = slice(i * D, (i + 1) * D)
        assert near(here[T][1][row], chance[T][1][row] if missing else same(model[T][1][row])), (name, i)
        want = chance[B][1][i:i + 1] if missing or name == "headless" else same(model[B][1][i:i + 1])
        assert near(here[B][1][i:i + 1], want), (name, i)
assert get("reversed")[T][1][:D] == model[T][1][-D:] != model[T][1][:D]
EOF
many=
for np in 1 2 4; do
    rm -rf many
    mpi $np "$shardbert" mlm --run many "${with[@]}" --vocab-block 200 --init hf:reversed --log error >/dev/null
    [ "${many:=$(hash_of many)}" = "$(hash_of many)" ] || fail "np $np: other weights"
done
rm model/vocab.txt
start from-json --init hf:model
[ "$(hash_of from-json)" = "$(hash_of at-model)" ] || fail "tokenizer.json alone: other weights"

hint 2 'leave --layers out' try --init hf:model --layers 3
hint 2 'leave --heads out' try --init hf:model --heads 8
expect 3 "lacks the tensor 'distilbert.transformer.layer.1.ffn.lin2.bias'" try --init hf:lame
expect 3 "'distilbert.embeddings.LayerNorm.bias' in 'thin' has another shape" try --init hf:thin
hint 3 'save_pretrained' try --init hf:none
mv headless/model.safetensors headless/pytorch_model.bin
hint 3 'model.safetensors' try --init hf:headless
head -c 30000 model/model.safetensors >judge/model.safetensors
expect 3 "safetensors 'judge/model.safetensors'" try --init hf:judge
rm judge/vocab.txt
hint 3 'vocab.txt or tokenizer.json' try --init hf:judge
sed -i 's/gelu/relu/' lame/config.json
expect 3 'activation' try --init hf:lame
[ ! -e bad/mlm/ckpt-000000001 ] || fail "a start that failed was saved"
echo "init: ok"

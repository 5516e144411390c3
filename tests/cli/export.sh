#!/bin/bash
# SPDX-License-Identifier: MIT
# export: a model goes out and comes back without losing a bit, on any number
# of ranks; nothing of others is overwritten, nothing half-written stays; and
# gensim finds the same neighbours in the files of word vectors.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
small_run "$shardbert" run 1500
"$shardbert" word2vec --run run --dim 32 --epochs 3 --log error
shape=(--dim 32 --layers 2 --heads 4 --ffn 48 --positions 64)
short=(--max-length 64 --batch 8 --slots 4)
"$shardbert" mlm --run run "${shape[@]}" "${short[@]}" --steps 30 --lr 2e-3 --log error >/dev/null
ex() { "$shardbert" export "$@"; }

# ---- out and back --------------------------------------------------------------
ex --run run model >told
grep -q '^model: masked language model of step 30, 41 tensors, ' told || fail "$(cat told)"
[ "$(ls model | tr '\n' ' ')" = "README.md config.json model.safetensors special_tokens_map.json \
tokenizer.json tokenizer_config.json vocab.txt " ] || fail "$(ls model)"
cmp model/vocab.txt run/vocab/vocab.txt
cmp model/tokenizer.json run/vocab/tokenizer.json
mpi 2 "$shardbert" export --run run model2 >/dev/null
diff -r -x README.md model model2 || fail "two ranks write another model"

# The shape comes from config.json; a step of 1e-30 changes nothing.
loss() { sed -n 's/.*"heldout_loss":\([^,]*\),.*/\1/p' "$1/mlm/metrics.jsonl" | "$2" -n 1; }
for np in 1 3; do
    mpi $np "$shardbert" mlm --run back$np --corpus run/corpus --vocab run/vocab/vocab.txt --init hf:model \
        "${short[@]}" --steps 1 --lr 1e-30 --log error >/dev/null
    [ "$(loss run tail)" = "$(loss back$np head)" ] || fail "np $np: another held-out loss"
done
[ "$("$shardbert" inspect back1/mlm --hash)" = "$("$shardbert" inspect back3/mlm --hash)" ] || fail "other bits"
ex --run back3 --vocab run/vocab/vocab.txt back >/dev/null
cmp back/model.safetensors model/model.safetensors || fail "what came back is not what went out"
cmp back/config.json model/config.json

# The card tells what it knows, and no paths.
for part in '^# model$' '^| all | [0-9.]* | [0-9.]* | [0-9.]* % |$' '^| text | 258 |' '^| word2vec-model | cbow |$' \
    '^| steps | 30 |$' 'AutoModelForMaskedLM.from_pretrained'; do
    grep -q "$part" model/README.md || fail "no '$part' in the card: $(cat model/README.md)"
done
! grep -q "$tmp" model/README.md || fail "a path in the card"
cp -r run/mlm/ckpt-* alone
ex --run run --checkpoint alone model3 >/dev/null
grep -q 'No evaluation on held-out text was at hand' model3/README.md || fail "figures from nowhere"

# ---- nothing of others is overwritten, nothing half-written stays ---------------
hint 2 '--force' ex --run run model
echo mine >model/notes.txt
expect 2 "holds 'notes.txt', which is no part of an export" ex --run run --force model
rm model/notes.txt
echo damaged >model/config.json
expect 0 '^model: ' ex --run run --force model
cmp back/config.json model/config.json
expect 2 'no folder' ex --run run told
faulty() { SB_FAULT=$fault ex "$@"; }
for fault in write:1 write:2 fsync:3 fsync:7 rename:2 rename:7; do
    expect 3 'shardbert: error: cannot ' faulty --run run new
    [ -z "$(find . -maxdepth 1 -name '.tmp*' -o -maxdepth 1 -name new)" ] || fail "$fault leaves $(ls -A)"
    expect 3 'shardbert: error: cannot ' faulty --run run --force model
    diff -r -x README.md model back || fail "$fault: the old export is damaged"
done

# ---- what cannot be exported -----------------------------------------------------
hint 2 'export --run' ex --run run
hint 2 'export --run' ex --run run a b
hint 3 'mlm' ex --run run --checkpoint none a
hint 3 'vocab' ex --run none a
hint 2 'format word2vec' ex --run run --checkpoint run/word2vec a
seq 1000 >other.txt
"$shardbert" vocab --run other --source text:other.txt --vocab-size 40 --log error 2>/dev/null
hint 2 'own vocabulary' ex --run run --vocab other/vocab/vocab.txt a
expect 2 'another vocabulary' ex --run run --vocab other/vocab/vocab.txt --format word2vec a
hint 3 'word2vec' ex --run none --vocab run/vocab/vocab.txt --format word2vec a
expect 2 "hf|word2vec" ex --run run --format pickle a
[ ! -e a ] || fail "an export that failed is there"

# ---- word vectors ----------------------------------------------------------------
ex --run run --format word2vec in.txt >/dev/null
ex --run run --format word2vec --binary in.bin >/dev/null
ex --run run --format word2vec --matrix output out.txt >/dev/null
! cmp -s in.txt out.txt || fail "input and output are the same"
hint 2 '--force' ex --run run --format word2vec in.txt
cp in.txt again
ex --run run --format word2vec --force in.txt >/dev/null
cmp in.txt again
fault=write:1
expect 3 'cannot write' faulty --run run --format word2vec --force in.txt
cmp in.txt again || fail "a failure leaves half a file"
[ ! -e in.txt.tmp ] || fail "in.txt.tmp stays"
if ! /usr/bin/python3 -c 'import gensim' 2>/dev/null; then
    echo "export: ok; beside gensim: skipped, there is none (apt-get install python3-gensim)"
    exit 0
fi
# Ours name pieces that never occur, too; a file has none of them.
words=(the copy work license you may software ',' program)
"$shardbert" neighbours --run run --top 50 --log error "${words[@]}" >ours
/usr/bin/python3 - "${words[@]}" <<'EOF' 2>/dev/null || fail "gensim: $(cat theirs)"
import sys
from gensim.models import KeyedVectors
text = KeyedVectors.load_word2vec_format("in.txt")
both = [text, KeyedVectors.load_word2vec_format("in.bin", binary=True)]
told = open("theirs", "w")
assert (text.vectors == both[1].vectors).all(), told.write("text and binary differ")
for line, word in zip(open("ours"), sys.argv[1:]):
    ours = line[len(word) + 1:].split()
    ours = [(w, float(x)) for w, x in zip(ours[::2], ours[1::2]) if w in text][:10]
    for v in both:
        theirs = v.most_similar(word, topn=len(ours))
        told.write(f"{word}: {theirs}, we: {ours}\n")
        told.flush()
        assert len(ours) == 10
        # Ours are shown with three digits: beyond that, order is a matter of taste.
        for (w, x), (t, y) in zip(ours, theirs):
            assert abs(x - y) < 6e-4 and (w == t or abs(x - y) < 1e-3)
        assert len({w for w, _ in ours} & {t for t, _ in theirs}) >= 9
EOF
echo "export: ok; gensim has the same neighbours"

#!/bin/bash
# SPDX-License-Identifier: MIT
# The hostile user: for every bad input one message, the right exit code on
# all ranks, no hang, and nothing left behind that a correct run would trip
# over.
# shellcheck disable=SC2086,SC2206 # $small and $own are several words
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
tmp=$(mktemp -d)
trap 'umount "$tmp/full" 2>/dev/null || true; rm -rf "$tmp"' EXIT
cd "$tmp"

small_run "$shardbert" base 600
small="--dim 32 --layers 1 --heads 2 --ffn 64 --positions 64 --max-length 48
    --batch 8 --slots 4 --eval-samples 20 --log error"
own="--vocab $tmp/base/vocab/vocab.txt --corpus $tmp/base/corpus"
w2v() { "$shardbert" word2vec --dim 32 --epochs 1 --log error "$@"; }
w2v --run base
"$shardbert" mlm --run base $small --steps 6 --checkpoint-every 3 >/dev/null

seq -f 'line %g is good' 300 >good.txt
mkdir folder

# Another vocabulary and corpus.
head -c 60000 base/text.txt >other.txt
"$shardbert" vocab --run other --source text:other.txt --vocab-size 300 --log error
"$shardbert" ingest --run other --source text:other.txt --held-out 0.1 --log error

# Runs on 1 rank, without mpirun, and on 3.
on1and3() {
    local how=$1 code=$2 pattern=$3
    shift 3
    "$how" "$code" "$pattern" "$shardbert" "$@"
    "$how" "$code" "$pattern" mpi 3 "$shardbert" "$@"
}
on1() { "$1" "$2" "$3" "$shardbert" "${@:4}"; }

# A copy of base that may be damaged: base stays.
fresh() {
    rm -rf run
    cp -r base run
    chmod -R u+w run
}
flip() { printf '\245\132\377\074' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

# ---- options ----------------------------------------------------------------------

options() {
    on1and3 expect 2 "subcommand 'vocb' is not known" vocb
    on1 hint 2 'shardbert vocab --help' vocb
    on1and3 expect 2 "'layrs' is not known; the nearest is 'layers'" mlm --layrs 3
    on1 expect 2 "'--dim' wants a value" mlm --dim
    on1 expect 2 "dim = 'x': a whole number expected" mlm --dim x
    on1 expect 2 "dim = '': a whole number expected" mlm --dim=
    on1 expect 2 "dim = '3.5': a whole number expected" mlm --dim 3.5
    on1 expect 2 'dim = 1e99 is out of range: .* between 8 and 65536' mlm --dim 1e99
    on1 expect 2 "lr = 'nan': a number expected" mlm --lr nan
    on1 expect 2 'dropout = -0.1 is out of range' mlm --dropout=-0.1
    on1 expect 2 'true or false expected' mlm --freeze-table=maybe
    on1 expect 2 'one of skip-gram|cbow expected' word2vec --word2vec-model glove
    on1 expect 2 "'--source' has no meaning for this subcommand" mlm --source text:x
    on1 expect 2 "run = '': it must not be empty" mlm --run ''
    on1 expect 2 'a control character is in it' mlm --run $'a\nb'
    on1 hint 2 'mlm --help' mlm extra
    on1 hint 2 'mlm --help' mlm -dim 32
    on1 expect 2 "memory = '4g': a number of bytes, like 512M or 4G, expected" vocab --memory 4g
    on1 expect 2 'memory = 1M is out of range' vocab --memory 1M
    on1 expect 2 'window = 0 is out of range' word2vec --window 0
    on1 expect 2 'negative = 64 is out of range' word2vec --negative 64
    on1and3 expect 2 'alpha 0: the learning rate must be above 0' word2vec --run run $own --alpha 0
    on1 expect 2 'min-alpha 0.0001 must lie between' word2vec --run run $own --alpha 0.00001
    on1 expect 2 'alpha = -0.1 is out of range' word2vec --alpha=-0.1
    on1 expect 2 'sync-words = 0 is out of range' word2vec --sync-words 0
    on1 expect 2 'sync-cycle = 0 is out of range' word2vec --sync-cycle 0
    on1 expect 2 'ranks-per-replica = -1 is out of range' word2vec --ranks-per-replica=-1
    on1 expect 2 'one of sum|average|weighted|project|damped expected' word2vec --combine nonsense
    # Odd, and fine.
    for odd in '--sync-words 1' '--sync-words 9007199254740992' '--sync-cycle 1000000' \
        '--sync-hot 0' '--sync-hot 1000000000' '--ranks-per-replica 1000000'; do
        rm -rf run
        expect 0 'word2vec *done' mpi 3 "$shardbert" word2vec --run run $own --dim 8 --epochs 1 --ranks-per-replica 1 $odd
    done
    expect 2 'the ranks were started with different options' mpi 1 "$shardbert" inspect --run base : -n 1 "$shardbert" inspect --run other
    rm -rf run
    on1and3 expect 2 'dim = 32 is not divisible by heads = 3' mlm --run run $own $small --heads 3
    on1 expect 2 'slots = 9 is more than batch = 8' mlm --run run $own $small --slots 9
    on1 expect 2 'max-length = 65 is more than positions = 64' mlm --run run $own $small --max-length 65
    on1 expect 2 'lr 0: the learning rate must be above 0' mlm --run run $own $small --lr 0
    on1 expect 2 'steps = 0 is out of range' mlm --run run $own $small --steps 0
    on1 expect 2 'one of linear|constant|cosine expected' mlm --run run $own $small --schedule square
    on1and3 hint 2 'a shorter --warmup' mlm --run run $own $small --steps 9 --warmup 9
    on1 expect 2 'warmup = 9 takes all of the 9 steps' mlm --run run $own $small --steps 9 --warmup 9 --schedule cosine
    hint 2 'start fewer ranks' mpi 5 "$shardbert" mlm --run run $own $small
}

config_files() {
    printf '# a recipe\ndim = 32\nlayrs = 1\n' >c
    on1and3 expect 2 "c line 3: option 'layrs' is not known; the nearest is 'layers'" mlm --config c
    printf 'dim = 32\nlayers\nlayrs = 1\n' >c
    on1 expect 2 "c line 2: 'name = value' expected" mlm --config c
    printf 'dim = 32\n  heads = x ; no number\n' >c
    on1 expect 2 "c line 2: heads = 'x': a whole number expected" mlm --config c
    printf '[mlm]\ndim = 32\n' >c
    on1 expect 2 'c line 1: .*sections have no meaning' mlm --config c
    printf 'init =\n' >c
    on1 expect 2 "c line 1: init = '': it must not be empty" mlm --config c
    printf 'dim = 32\n\0\n' >c
    on1 expect 3 'holds a NUL byte' mlm --config c
    on1and3 expect 3 "cannot open 'none.conf': No such file" mlm --config none.conf
    on1 expect 3 "cannot read 'folder': Is a directory" mlm --config folder
    # A BOM, carriage returns, comments, a line longer than any buffer: fine.
    printf '\357\273\277run = none # here\r\n ; c\r\ninit = /%0500d\r\n' 1 >c
    on1 expect 3 "cannot open 'none/vocab/vocab.txt'" mlm --config c
}

# ---- text ---------------------------------------------------------------------------

texts() {
    printf 'caf\351 au lait\nd\351j\340 vu\n' >latin1.txt
    cp good.txt few.txt
    cat latin1.txt >>few.txt
    : >empty.txt
    printf '\n \n\t\r\n' >blank.txt
    rm -rf run
    on1and3 expect 2 'no source of text is named' vocab --run run
    on1 hint 2 'KIND:GLOB' vocab --run run --source good.txt
    on1and3 expect 3 "no file matches 'nothere.txt'" vocab --run run --source text:nothere.txt
    on1 expect 3 "no file matches '\*.nope'" vocab --run run --source 'text:*.nope'
    on1and3 hint 2 'text:folder/\*' vocab --run run --source text:folder
    on1 expect 2 "'/dev/zero' is not a plain file" vocab --run run --source text:/dev/zero
    on1and3 expect 3 "2 of 2 records of 'text:latin1.txt' cannot be read, first: latin1.txt:0: not UTF-8" \
        vocab --run run --source text:latin1.txt
    on1 hint 3 'iconv' vocab --run run --source text:latin1.txt
    on1and3 expect 2 'the sources hold no document' vocab --run run --source text:empty.txt
    on1and3 expect 2 'the sources hold no document' vocab --run run --source text:blank.txt
    unreadable
    # After all that, a correct run. Few bad documents are skipped.
    on1 expect 0 "warning: 2 of 302 records of 'text:few.txt' cannot be read" \
        vocab --run run --source text:few.txt --vocab-size 60
    on1and3 expect 3 '2 of 2 records of .* cannot be read' ingest --run run --source text:latin1.txt
    on1 expect 2 'the sources hold no document' ingest --run run --source text:blank.txt
    mpi 3 "$shardbert" ingest --run run --source text:good.txt --log error
    "$shardbert" ingest --run clean --vocab run/vocab/vocab.txt --source text:good.txt --log error
    diff -r -x corpus.json run/corpus clean/corpus || fail "what a failed ingest left was used"
    on1and3 expect 2 "made from other input .*run/vocab/made-from" vocab --run run --source text:good.txt
    on1and3 expect 2 "made from other input .*run/corpus/made-from" ingest --run run --source text:few.txt
    on1 hint 2 "delete 'run/corpus'" ingest --run run --source text:few.txt
    # Deleting the vocabulary is enough to have it made again.
    rm run/vocab/vocab.txt
    on1 expect 0 'vocab *done' vocab --run run --source text:good.txt --vocab-size 60
    [ -s run/vocab/vocab.txt ] || fail "no vocabulary"
    # A file name that is not UTF-8 is no reason to fail after hours.
    cp good.txt $'caf\351.txt'
    on1 expect 0 'ingest *done' ingest --run clean2 --vocab run/vocab/vocab.txt --source $'text:caf\351.txt'
    rm -rf run clean clean2
}

unreadable() {
    [ "$(id -u)" = 0 ] && command -v runuser >/dev/null || return 0
    cp good.txt secret.txt
    chmod 600 secret.txt
    chmod 755 "$tmp"
    runuser -u nobody -- test -x "$shardbert" || return 0
    expect 3 "cannot read 'secret.txt': Permission denied" \
        runuser -u nobody -- "$shardbert" vocab --run /tmp/none --source text:secret.txt
    expect 3 "cannot make folder 'none': Permission denied" \
        runuser -u nobody -- "$shardbert" vocab --run none --source text:good.txt
}

# ---- vocabulary and corpus ------------------------------------------------------------

vocabularies() {
    fresh
    sed -n 50p run/vocab/vocab.txt >>run/vocab/vocab.txt
    on1and3 expect 3 "vocab.txt', line 601: .* is on line 50 already" word2vec --run run
    fresh
    sed -i '/^\[MASK\]/d' run/vocab/vocab.txt
    on1 expect 3 'lacks the special token \[MASK\]' mlm --run run
    printf '\377\n' >>run/vocab/vocab.txt
    on1 expect 3 'line 600: not UTF-8' fill --run run x
    : >run/vocab/vocab.txt
    on1 hint 3 'restore the file' fill --run run x
    on1and3 hint 3 'shardbert vocab' word2vec --run none
    on1 hint 3 'shardbert vocab' ingest --run none --source text:good.txt
    on1 expect 3 "cannot read 'folder': Is a directory" mlm --run none --vocab folder
    on1 expect 3 'Not a directory' mlm --run good.txt
}

corpora() {
    rm -rf run
    local foreign="--vocab other/vocab/vocab.txt --corpus other/corpus"
    on1and3 hint 2 'shardbert ingest' mlm --run base $small --vocab other/vocab/vocab.txt
    on1 expect 2 'corpus was made with another vocabulary' word2vec --run base --corpus other/corpus
    on1and3 expect 2 'checkpoint .* made with another vocabulary' word2vec --run base $foreign --dim 32
    on1and3 expect 2 'checkpoint .* made with another vocabulary' mlm --run base $small $foreign
    on1 expect 2 'trained with another vocabulary' mlm --run run $small $foreign --init base/word2vec
    on1 expect 2 'made with another vocabulary' fill --run base --vocab other/vocab/vocab.txt 'a [MASK]'
    on1 expect 2 'made with another vocabulary' neighbours --run base --vocab other/vocab/vocab.txt a
    on1and3 hint 2 'lower --batch' mlm --run run $small $own --batch 5000
    seq 100 >numbers.txt
    "$shardbert" ingest --run run --vocab base/vocab/vocab.txt --source text:numbers.txt --held-out 0 --log error
    on1and3 hint 2 'larger --held-out share' mlm --run run --vocab base/vocab/vocab.txt $small
    # Single letters, each a sentence; and words that the vocabulary lacks.
    local few="word2vec --run run --vocab base/vocab/vocab.txt"
    rm -rf run
    printf '%s\n' {a..z} {a..z} {a..z} >letters.txt
    "$shardbert" ingest --run run --vocab base/vocab/vocab.txt --source text:letters.txt --held-out 0 --log error
    on1 expect 0 'nothing was trained: no sentence has two words' $few
    on1 expect 0 'word2vec: 26 of 600 pieces take part; 574 never occur' $few --epochs 5
    rm -rf run
    printf '\321\211 \321\206\n%.0s' {1..50} >unknown.txt
    "$shardbert" ingest --run run --vocab base/vocab/vocab.txt --source text:unknown.txt --held-out 0 --log error
    on1and3 expect 2 'the corpus holds nothing but special tokens' $few
    rm -rf run
    "$shardbert" ingest --run run --vocab base/vocab/vocab.txt --source text:numbers.txt --held-out 0 --log error
    on1 expect 2 'negatives asked for, but only' word2vec --run run --vocab base/vocab/vocab.txt --negative 63 --log error
    on1 hint 3 'shardbert ingest' mlm --run run --vocab base/vocab/vocab.txt --corpus none $small
}

damaged_vocabularies() {
    fresh
    # A letter of a piece in the middle; it is another letter then.
    sed -i '300,$s/^\([a-y]*\)a\([a-y]*\)$/\1Z\2/' run/vocab/vocab.txt
    cmp -s base/vocab/vocab.txt run/vocab/vocab.txt && fail "nothing was changed"
    on1and3 expect 3 "run/vocab/vocab.txt' is not the vocabulary that was made" word2vec --run run --dim 32
    on1 hint 3 'restore the file' mlm --run run $small
    on1 expect 3 'is not the vocabulary that was made' ingest --run run --source text:base/text.txt
    # Where nothing of its making is left, corpus and checkpoints know its hash.
    rm run/vocab/counts.pb
    on1and3 expect 2 'made with another vocabulary' word2vec --run run --dim 32
    on1 expect 2 'another vocabulary' mlm --run run $small
    on1 expect 2 'another vocabulary' fill --run run 'a [MASK]'
    on1 expect 2 'another vocabulary' neighbours --run run the
    cp base/vocab/vocab.txt run/vocab/
    flip run/vocab/vocab.txt 2000
    on1and3 expect 3 "run/vocab/vocab.txt', line [0-9]*: not UTF-8" mlm --run run $small
    fresh
    flip run/vocab/counts.pb 50
    on1 expect 3 "counts.pb' is damaged" mlm --run run $small
    fresh
    flip run/corpus/made-from 20
    on1 expect 2 "made from other input.*run/corpus/made-from" ingest --run run --source text:base/text.txt --documents paragraph
    flip run/vocab/made-from 20
    on1 expect 2 "made from other input.*run/vocab/made-from" vocab --run run --source text:base/text.txt --documents paragraph
}

damaged_corpora() {
    fresh
    rm -rf run/word2vec run/mlm
    flip run/corpus/train-00000.mdb 50000
    on1and3 expect 3 'train-00000.mdb.* is damaged (checksum)' word2vec --run run --dim 32 --log error
    # With turns of replicas still to be taken, and threads.
    local how
    for how in '--ranks-per-replica 1 --sync-words 500' '--ranks-per-replica 2 --threads 2'; do
        expect 3 '^shardbert: error: rank . .*train-00000.mdb.* is damaged (checksum)' \
            mpi 3 "$shardbert" word2vec --run run --dim 32 --log error $how
    done
    [ -z "$(find run/word2vec -name 'ckpt*')" ] || fail "a state was saved"
    on1and3 hint 3 'shardbert ingest' mlm --run run --init none $small --steps 60
    fresh
    truncate -s 40000 run/corpus/train-00000.mdb
    on1and3 expect 3 'has 40000 bytes, the manifest says' word2vec --run run
    cp base/corpus/train-00000.mdb run/corpus/
    flip run/corpus/heldout-00000.mdb 16
    on1 expect 3 'heldout-00000.mdb.* meta page 0 is damaged' mlm --run run $small
    rm run/corpus/train-00000.mdb
    on1and3 hint 3 "delete 'run/corpus' and run .shardbert ingest. again" mlm --run run $small
    fresh
    flip run/corpus/corpus.json 300
    on1and3 expect 3 "corpus.json', line" mlm --run run $small
    rm run/corpus/corpus.json
    on1 hint 3 'shardbert ingest' mlm --run run $small
}

# ---- checkpoints -----------------------------------------------------------------------

# passed_over FILE AT COMMAND...: the newest checkpoint of mlm, damaged, is named
# on 1 rank and on 3, and the one before it is used
passed_over() {
    local np file=$1 at=$2
    shift 2
    for np in 1 3; do
        fresh
        flip "run/mlm/ckpt-000000006/$file" "$at"
        expect 0 "warning: 'run/mlm/ckpt-000000006' is damaged and passed over: .*$file' is damaged" mpi "$np" "$@"
    done
}

damaged_checkpoints() {
    local whole mlm=("$shardbert" mlm --run run $small --log warn --steps 6)
    whole=$("$shardbert" inspect --hash base/mlm)
    passed_over manifest.pb 200 "${mlm[@]}"
    # The damage is met after other tensors were read: of the moments.
    passed_over part-00000.pb 200000 "${mlm[@]}"
    [ "$("$shardbert" inspect --hash run/mlm)" = "$whole" ] || fail "not the same from the one before"
    [ -d run/mlm/ckpt-000000006.damaged ] || fail "the damaged one was not set aside"
    passed_over part-00000.pb 20000 "$shardbert" fill --run run --log warn 'a [MASK]'
    [ -d run/mlm/ckpt-000000006 ] || fail "fill moved a checkpoint"

    # None is whole: nothing begins anew.
    flip run/mlm/ckpt-000000003/manifest.pb 200
    on1and3 expect 3 "none of the 2 checkpoints in 'run/mlm' is whole: ckpt-000000006, ckpt-000000003" mlm --run run $small
    on1and3 hint 3 'restore one from a copy' fill --run run 'a [MASK]'
    on1 expect 3 "part-00000.pb' is damaged" inspect --hash run/mlm
    rm run/mlm/ckpt-000000006/part-00000.pb
    on1 expect 3 'none of the 2' mlm --run run $small --steps 9
    rm -r run/mlm/ckpt-000000003
    on1and3 expect 3 "ckpt-000000006/part-00000.pb': No such file" mlm --run run $small --steps 9
    [ "$(ls run/mlm | grep -v tfevents)" = "ckpt-000000006
metrics.jsonl" ] || fail "a run with damaged checkpoints has changed its folder"

    truncate -s 1000 run/word2vec/ckpt-*/part-00000.pb
    on1and3 expect 3 'has 1000 bytes, the manifest says' neighbours --run run the
    on1 expect 3 'has 1000 bytes, the manifest says' word2vec --run run --dim 32 --epochs 1 --log error
    # All done, and nobody reads the vectors: they are looked at.
    fresh
    flip run/word2vec/ckpt-*/part-00000.pb 20000
    on1and3 expect 3 "part-00000.pb' is damaged" word2vec --run run --dim 32 --epochs 1 --log error
}

verified() {
    local what
    fresh
    for what in '' run run/corpus run/word2vec run/mlm run/mlm/ckpt-000000003; do
        on1 expect 0 ': OK, ' inspect --run run --verify $what
    done
    [ "$("$shardbert" inspect --verify run | grep -c ': OK, ')" = 4 ] || fail "not a corpus and three checkpoints"
    flip run/mlm/ckpt-000000003/part-00000.pb 20000
    for what in '' run run/mlm run/mlm/ckpt-000000003; do
        on1 expect 3 "^run/mlm/ckpt-000000003: .*part-00000.pb' is damaged" inspect --run run --verify $what
    done
    on1 expect 3 '^run/mlm/ckpt-000000006: OK, ' inspect --verify run/mlm
    on1and3 expect 3 '^run/corpus: OK, ' inspect --verify run
    # An older one is not looked at without being asked for.
    on1and3 expect 0 '^checkpoint run/mlm/ckpt-000000006: phase mlm' inspect run
    on1 expect 0 ' norm ' inspect run/mlm
    flip run/corpus/train-00000.mdb 50000
    on1 expect 3 '^run/corpus: .*train-00000.mdb.* is damaged (checksum)' inspect --verify run
    on1 expect 3 '^run/word2vec/ckpt-.*: OK, ' inspect --verify run
    fresh
    flip run/corpus/counts 100
    on1 expect 3 "^run/corpus: .*counts' is damaged" inspect --verify run/corpus
}

other_options() {
    local what
    cp base/mlm.used base/word2vec.used .
    on1and3 expect 2 'this run asks for' word2vec --run base --dim 64
    on1 expect 2 'window 5, this run asks for 9' word2vec --run base --dim 32 --window 9
    on1and3 expect 2 'is 32 wide where 64 is asked for' mlm --run base $small --dim 64
    on1 hint 2 'shardbert inspect base/mlm' mlm --run base $small --dim 64
    on1 expect 2 "the checkpoint holds no .*layer.1" mlm --run base $small --layers 2
    on1 expect 2 'with 2 heads, 4 are asked for' mlm --run base $small --heads 4
    on1 expect 2 'another seed or batch' mlm --run base $small --seed 9
    for what in mlm word2vec; do
        cmp $what.used base/$what.used || fail "a refused run has changed what it says was used"
    done
    rm -rf run
    on1and3 hint 3 'init none' mlm --run run $own $small
    on1 expect 2 "the checkpoint holds no 'word2vec.input'" mlm --run run $own $small --init base/mlm
    on1and3 hint 2 'init names a word2vec folder' mlm --run run $own $small --dim 64 --init base/word2vec
    "$shardbert" mlm --run run $own $small --init none --steps 3 --layers 2 >/dev/null
    on1 expect 2 'more layers than the 1 asked for' mlm --run run $own $small --init none
}

# ---- questions ----------------------------------------------------------------------------

questions() {
    on1and3 hint 2 'write \[MASK\]' fill --run base 'no word is missing'
    on1 expect 2 'has no \[MASK\]' fill --run base ''
    on1and3 expect 2 'tokens, the model has 64 positions' fill --run base "[MASK] $(seq -s' ' 200)"
    on1 expect 2 'has 40 \[MASK\]s, at most 32' fill --run base "$(printf '[MASK] %.0s' {1..40})"
    on1and3 expect 2 'not valid UTF-8' fill --run base $'\377 [MASK]'
    on1and3 hint 3 'shardbert mlm' fill --run other 'a [MASK]'
    on1and3 hint 3 'shardbert word2vec' neighbours --run other a
    on1 expect 2 'no word is given' neighbours --run base
    on1 expect 2 "'' is no word" neighbours --run base ''
    on1and3 expect 2 "' ' is no word" neighbours --run base ' '
    on1and3 hint 3 "word2vec or mlm folder" inspect nothere
    on1 hint 3 "word2vec or mlm folder" inspect good.txt
    on1 expect 3 "is not a run folder" inspect --run nothere
    mkdir -p begun/mlm
    on1 expect 0 'nothing finished yet' inspect --run begun
    on1 expect 0 '^[0-9a-f]\{16\}$' inspect --run base --hash
    # A long name of the run folder stands in the checkpoint's configuration.
    local long
    long=$(printf 'p%.0s' {1..200})
    cp -r base "$long"
    rm -r "$long/mlm"
    "$shardbert" mlm --run "$long" $small --steps 1 >/dev/null
    on1 expect 0 ' %' fill --run "$long" 'a [MASK]'
}

# ---- numbers, disks -----------------------------------------------------------------------

nan() {
    rm -rf run
    on1and3 hint 5 'lower --alpha' word2vec --run run $own --dim 32 --alpha 10 --epochs 3 --log error
    on1and3 hint 5 'a lower --lr' mlm --run run $own $small --init none --lr 10 --weight-decay 10 --steps 99
    [ -z "$(find run -name '*ckpt*')" ] || fail "a state that is no number was saved"
    on1 expect 0 'after training' mlm --run run $own $small --init none --steps 3
    w2v --run run $own
}

full_disk() {
    if [ "$(id -u)" != 0 ] || ! { mkdir -p full && mount -t tmpfs -o size=1m none full; }; then
        echo "full disk: not tested, only root can mount a small one"
        return 0
    fi
    mkdir full/run
    on1 expect 3 'No space left' word2vec --run full/run $own --dim 512 --epochs 1 --log error
    hint 3 'free some space' mpi 3 "$shardbert" mlm --run full/run $own $small --dim 128 --init none --steps 6 --checkpoint-every 3
    nothing_half full/run
    head -c 900k /dev/zero >full/ballast 2>/dev/null
    on1and3 hint 3 'free some space' ingest --run full/run --vocab base/vocab/vocab.txt --source text:base/text.txt --log error
    head -c 1m /dev/zero >>full/ballast 2>/dev/null || true
    on1 hint 3 'free some space' vocab --run full/new --source text:base/text.txt --log error
    nothing_half full
    rm full/ballast
    w2v --run full/run $own
    umount full
}

nothing_half() {
    [ -z "$(find "$1" -name '*tmp*')" ] || fail "left behind: $(find "$1" -name '*tmp*')"
}

faults() {
    rm -rf run
    # A source has a unit of its own. Who takes it is chance, so a fault is of
    # any rank: the latest that can meet it is rank 0, which writes the counts.
    local ingest=(ingest --run run --vocab base/vocab/vocab.txt --log error) i said=
    for i in 1 2 3 4 5 6; do
        cp base/text.txt $i.txt
        ingest+=(--source text:$i.txt)
    done
    SB_FAULT=write:3 hint 3 'free some space' mpi 3 "$shardbert" "${ingest[@]}"
    nothing_half run
    SB_FAULT=rename:3 expect 3 'rank . .*cannot rename' mpi 3 "$shardbert" "${ingest[@]}"
    SB_FAULT=fsync:1@rank0 expect 3 'rank 0 .*cannot write' mpi 3 "$shardbert" "${ingest[@]}"
    for i in {1..9}; do # until rank 1 takes one
        rm -rf run
        said=$(SB_FAULT=write:1@rank1 mpi 3 "$shardbert" "${ingest[@]}" 2>&1) || break
    done
    grep -q '^shardbert: error: rank 1 .*No space left' <<<"$said" || fail "no fault on rank 1: $said"
    nothing_half run
    expect 0 '' mpi 3 "$shardbert" "${ingest[@]}"
    SB_FAULT=write:1@rank1 expect 3 'rank 1 .*No space left' mpi 3 "$shardbert" word2vec --run run $own --dim 32 --epochs 1 --log error
    local mlm=(mlm --run run $own $small --vocab-block 100 --init none --steps 6 --checkpoint-every 3)
    SB_FAULT=write:1@rank1 expect 3 'rank 1 .*No space left' mpi 3 "$shardbert" "${mlm[@]}"
    SB_FAULT=fsync:3@rank0 expect 3 'rank 0 .*cannot' mpi 3 "$shardbert" "${mlm[@]}"
    nothing_half run
    expect 0 'after training' mpi 3 "$shardbert" "${mlm[@]}"
    w2v --run run $own
}

for part in ${SB_PARTS:-options config_files texts vocabularies corpora \
    damaged_vocabularies damaged_corpora damaged_checkpoints verified other_options questions nan full_disk \
    faults}; do
    start=$SECONDS
    $part
    echo "$part: well refused, $((SECONDS - start)) s"
done

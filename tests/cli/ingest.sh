#!/bin/bash
# SPDX-License-Identifier: MIT
# Inputs of every kind become the same corpus for every number of ranks, with
# the counts that made_input.py knows; a run that is stopped, killed or fails
# redoes only what is missing; a change of weights rewrites only the manifest.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder

python3 "$SB_SOURCE/tests/cli/made_input.py" in >expected.json
"$shardbert" vocab --run . --source 'text:in/small/*' --vocab-size 800 --log error
mapfile -t specs < <(python3 -c 'import json; [print(s["spec"]) for s in json.load(open("expected.json"))]')
[ ${#specs[@]} -ge 12 ] || fail "no inputs"
options=(--run run --vocab ../vocab/vocab.txt --documents paragraph --text-field a.b --column 2 --log error)
for s in "${specs[@]}"; do options+=(--source "$s"); done

# ingest FOLDER NP OPTIONS...: in a folder of its own, so that all paths that
# are recorded are the same
ingest() {
    local folder=$1 np=$2
    shift 2
    mkdir -p "$folder"
    (cd "$folder" && mpi "$np" "$shardbert" ingest "${options[@]}" "$@")
}
# same FOLDER LIKE: every byte of the run folder
same() {
    diff -r "$2/run" "$1/run" >differs || fail "$1 is not like $2: $(head -5 differs)"
    [ -z "$(find "$1" -name 'unit-*' -o -name '*tmp*')" ] || fail "left behind in $1"
}
# counts FOLDER [drop]: the numbers of the manifest
counts() {
    python3 - "$1/run/corpus/corpus.json" "${2:-}" <<'END' || fail "the counts of $1"
import json, sys
found = json.load(open(sys.argv[1]))["sources"]
expected = json.load(open("expected.json"))
drop = sys.argv[2] == "drop"
bad = len(found) != len(expected)
for f, e in zip(found, expected):
    e["dropped"] = e["duplicates"] if drop else 0
    e["documents"] -= e["dropped"]
    for key, value in e.items():
        if f[key] != value:
            print(f'{e["spec"]}: {key} {f[key]}, not {value}')
            bad = True
documents, heldout = (sum(f[k] for f in found) for k in ("documents", "heldout"))
if not 0.002 < heldout / documents < 0.01:
    print(f"{heldout} of {documents} held out")
    bad = True
sys.exit(bad)
END
}

# ---- any number of ranks ------------------------------------------------------------

for np in 1 2 3 4; do
    ingest "np$np" "$np"
    same "np$np" np1
    ingest "drop$np" "$np" --drop-duplicates
    same "drop$np" drop1
done
counts np1
counts drop1 drop
diff -rq np1/run/corpus drop1/run/corpus >/dev/null && fail "nothing was dropped"
ingest again 2
same again np1
expect 0 'done before, in run/corpus' ingest again 2 --log info
same again np1
# Another share of held-out documents gives another corpus: diff can fail.
ingest other 2 --held-out 0.1
diff -rq np1/run/corpus other/run/corpus >/dev/null && fail "held-out has no effect"
echo "np 1 to 4: the same, $SECONDS s"

# ---- which copy is dropped; lines and files -------------------------------------------

printf 'bada gofi\nmene taku\nbada gofi\n' >first.txt
printf 'luzo vipe\n\nmene taku\nsara noni\nluzo vipe\n' >second.txt
tiny() {
    rm -rf tiny
    mpi 2 "$shardbert" ingest --run tiny --vocab vocab/vocab.txt --held-out 0 --log error \
        --source text:first.txt --source text:second.txt "$@"
    "$shardbert" inspect tiny/corpus --vocab vocab/vocab.txt --sample 100 |
        sed -n 's/^document [0-9]*, source \([0-9]*\),.*/\1/p;s/^  text: *//p' | paste -sd ' '
}
is() { [ "$1" = "$2" ] || fail "'$1', not '$2'"; }
is "$(tiny --drop-duplicates)" '1 bada gofi 1 mene taku 2 luzo vipe 2 sara noni'
is "$(tiny)" '1 bada gofi 1 mene taku 1 bada gofi 2 luzo vipe 2 mene taku 2 sara noni 2 luzo vipe'
is "$(tiny --documents file)" '1 bada gofi mene taku bada gofi 2 luzo vipe mene taku sara noni luzo vipe'
is "$(tiny --documents paragraph)" '1 bada gofi mene taku bada gofi 2 luzo vipe 2 mene taku sara noni luzo vipe'

# ---- weights ------------------------------------------------------------------------

cp -r again weighed
options[-1]+=:2.5 # of the last source
stamp() { (cd "$1/run" && find . -type f ! -name corpus.json ! -name ingest.used -exec stat -c '%n %i %y' {} + | sort); }
stamp weighed >before
expect 0 'done before, the weights are new, in run/corpus' ingest weighed 2 --log info
stamp weighed >after
cmp -s before after || fail "new weights changed more than the manifest: $(diff before after)"
diff again/run/corpus/corpus.json weighed/run/corpus/corpus.json >differs && fail "no weight in the manifest"
is "$(grep -c '^[<>]' differs)" 6 # the weight, the options and the checksum
grep -q '^> .*small/.*"weight": 2.5,' differs || fail "no weight of 2.5: $(cat differs)"
ingest fresh 3 --log info 2>&1 | grep -q "done  " # weights from the start
diff -r weighed/run/corpus fresh/run/corpus || fail "weights later are not weights at once"
ingest fresh 1 --log info 2>&1 | grep -q 'done before, in' || fail "weights that stay are no news"
options[-1]=${options[-1]%:2.5}
echo "weights: only the manifest, $SECONDS s"

# ---- stopped, killed, failed ----------------------------------------------------------

# What is sealed and marked: its names, inodes and times.
sealed() {
    local mark n
    for mark in "$1"/run/corpus/unit-*.done; do
        n=${mark##*/unit-}
        stat -c '%n %i %y' "$1/run/corpus/"{train,heldout}-"${n%.done}.mdb" 2>/dev/null || true
    done | sort
}
units=$(find np1/run/corpus -name 'train-*.mdb' | wc -l)
marks() { find "$1" -name 'unit-*.done' | wc -l; }
late=0
until_there() {
    while kill -0 "$mpirun_pid" 2>/dev/null && ! compgen -G "$1" >/dev/null; do sleep 0.002; done
}
# disturb FOLDER SIGNAL: to mpirun (USR1) or a rank (KILL), when a unit is done;
# what follows is quick, so all ranks are frozen first
disturb() {
    local ranks code=0
    mkdir -p "$1"
    cd "$1"
    mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 \
        --mca btl_base_warn_component_unused 0 -n 3 "$shardbert" ingest "${options[@]}" >../log 2>&1 &
    mpirun_pid=$!
    cd ..
    until_there "$1/run/corpus"
    mapfile -t ranks < <(pgrep -P "$mpirun_pid")
    until_there "$1/run/corpus/unit-*.done"
    if ! kill -STOP "${ranks[@]}" 2>/dev/null; then
        : # done before the signal
    elif [ "$2" = KILL ]; then
        kill -KILL "${ranks[RANDOM % ${#ranks[@]}]}" # mpirun ends the others
    else
        kill -USR1 "$mpirun_pid" # which hands it on
        sleep 0.1
        kill -CONT "${ranks[@]}"
    fi
    wait "$mpirun_pid" || code=$?
    mpirun_pid=
    if [ $code = 0 ] || [ "$(marks "$1")" = "$units" ]; then # too late: again
        late=$((late + 1))
        [ $late -lt 9 ] || fail "was done before the signal, $late times"
        rm -rf "$1"
        disturb "$@"
        return
    fi
    [ "$2" != USR1 ] || [ $code = 75 ] || fail "exit $code after $2: $(cat log)"
    [ ! -e "$1/run/corpus/corpus.json" ] || fail "a manifest of an unfinished corpus"
}
disturb hit USR1
sealed hit >first
rm -rf killed
disturb killed KILL
sealed killed >before
[ -s before ] || fail "nothing was sealed before the kill"
marks=$(marks killed)
ingest killed 2
stat -c '%n %i %y' killed/run/corpus/*.mdb | sort >after
[ -z "$(comm -23 before after)" ] || fail "done anew: $(comm -23 before after)"
same killed np1
ingest hit 4
stat -c '%n %i %y' hit/run/corpus/*.mdb | sort >after
[ -z "$(comm -23 first after)" ] || fail "done anew: $(comm -23 first after)"
same hit np1
echo "killed with $marks of $units units done: they stayed, $SECONDS s"

# Begun without --drop-duplicates, and with it failing while it encodes (17
# units' hashes and lists, then 3 files a unit).
SB_FAULT=write:20 expect 3 'No space left' ingest dropped 1
SB_FAULT=write:45 expect 3 'No space left' ingest dropped 1 --drop-duplicates
ingest dropped 3 --drop-duplicates
same dropped drop1

# A write fails; another file, another weight; and on it goes. Units 0 to 2 are
# ranges of big/0.txt, 3 to 5 are big/1.txt to 3.txt.
SB_FAULT=write:16 expect 3 'No space left' ingest changed 1
marks=$(marks changed)
if [ "$marks" -lt 3 ] || [ "$marks" -ge "$units" ]; then fail "$marks units done"; fi
compgen -G 'changed/run/corpus/unit-0000[3-5].done' >/dev/null || fail "no unit of big/[123].txt"
sealed changed >before
victim=$(find changed -name 'unit-0000[3-5].done' | head -1 | sed 's/.*unit-\(.*\).done/\1/')
cp -rp in keep
sed -i 's/ba/be/' "in/big/$((10#$victim - 2)).txt"
options[-1]+=:3
ingest changed 2
stat -c '%n %i %y' changed/run/corpus/*.mdb | sort >after
comm -23 before after | sed 's/ .*//;s/.*-//' | sort -u >redone
is "$(cat redone)" "$victim.mdb"
ingest clean 3
same changed clean
diff -rq clean/run/corpus np1/run/corpus >/dev/null && fail "a changed file changes nothing"
options[-1]=${options[-1]%:3}
expect 2 'made from other input' ingest np1 1
rm -rf in
mv keep in
expect 0 '' ingest np1 1
echo "one file changed: only unit $victim was done anew, $SECONDS s"

# ---- inspect ------------------------------------------------------------------------

"$shardbert" inspect np1/run/corpus --vocab vocab/vocab.txt --sample 3 >shown
python3 - <<'END' || fail "inspect: $(cat shown)"
import json, re, sys
m = json.load(open("np1/run/corpus/corpus.json"))
shown = open("shown").read()
rows = re.findall(r"^ +(\d+) +([\d.]+) +(\d+) +(\d+) .*%$", shown, re.M)[:len(m["sources"])]
for i, (s, r) in enumerate(zip(m["sources"], rows)):
    want = (str(i + 1), f'{s["weight"]:g}', str(s["documents"]), str(s["tokens"]))
    if r != want:
        print("row", r, "not", want)
        sys.exit(1)
for split in ("train", "heldout"):
    of = [s for s in m["shards"] if s["split"] == split]
    sums = [sum(s[k] for s in of) for k in ("blocks", "documents", "tokens")]
    line = "{} shards, {} blocks, {} documents, {} tokens".format(len(of), *sums)
    if line not in shown:
        print("no", line)
        sys.exit(1)
for s in m["sources"]:
    line = f'{s["heldout"]} held out, 0 duplicates left out, {s["skipped"]} records without'
    if line not in shown:
        print("no", line)
        sys.exit(1)
sys.exit(len(rows) != len(m["sources"]))
END
grep -q '^warning: source 1 dominates: 9[0-9] % of all' shown || fail "source 1 dominates: $(cat shown)"
grep -q '^warning: source 2 is thin: [0-9.]* % of all' shown || fail "source 2 is thin: $(cat shown)"
is "$(grep -c '^document [0-9]*, source 1, [0-9]* tokens$' shown)" 3
is "$(grep -c '^  text: ' shown)" 3
is "$(grep -c '^  pieces: ' shown)" 3
# Text and pieces are the same letters.
sed -n 's/^  text: *//p' shown | tr -d ' ' >text
sed -n 's/^  pieces: //p' shown | sed 's/ ##//g' | tr -d ' ' >pieces
cmp text pieces || fail "text and pieces differ"
# Weights count: with them, source 1 is thin.
options[${#options[@]} - 1 - 2 * (${#specs[@]} - 1)]+=:0.0001
expect 0 'weights are new' ingest np1 1 --log info
"$shardbert" inspect np1/run/corpus >shown
grep -q '^warning: source 1 is thin' shown || fail "weights do not count: $(cat shown)"
grep -q '^warning: source 2 is thin' shown && fail "source 2 is not thin now: $(cat shown)"
head -700 vocab/vocab.txt >few.txt
expect 2 'made with another vocabulary' "$shardbert" inspect np1/run/corpus --sample 1 --vocab few.txt
echo "inspect: as counted, $SECONDS s"

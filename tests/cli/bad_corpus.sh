#!/bin/bash
# SPDX-License-Identifier: MIT
# Input that is damaged, hostile or goes away while it is read: a bad record is
# left out, counted, and its place named; a bad file ends the run with one
# message, and what was sealed stays good. SB_PARTS names some parts.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder

seq -f 'line %g is good' 300 >good.txt
"$shardbert" vocab --run . --source text:good.txt --vocab-size 60 --log error
ingest=(ingest --run "$tmp/run" --vocab vocab/vocab.txt)

# refused CODE PATTERN OPTIONS...: on 1 rank and on 3, in a fresh folder, and
# no corpus is left
refused() {
    local code=$1 pattern=$2 how
    shift 2
    for how in "" "mpi 3"; do
        rm -rf run
        # shellcheck disable=SC2086
        expect "$code" "$pattern" $how "$shardbert" "${ingest[@]}" "$@"
        [ ! -e run/corpus/corpus.json ] || fail "a corpus of bad input: $*"
        [ -z "$(find run -name '*tmp*')" ] || fail "left behind: $(find run -name '*tmp*')"
    done
}

# At most so many MiB on any rank: peak MIB COMMAND...
peak() {
    python3 - "$@" <<'END'
import resource, subprocess, sys
code = subprocess.run(sys.argv[2:]).returncode
most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
if most > int(sys.argv[1]):
    sys.exit(f"{most} MiB of memory, more than {sys.argv[1]}")
sys.exit(code)
END
}

# ---- records ------------------------------------------------------------------------

# Files of 5 good records and a bad one, and where it is: "SPEC <TAB> PLACE"
make_records() {
    python3 - >places <<'END'
import gzip, json, os
os.makedirs("bad")
def case(kind, name, good, line, why, pack=None):
    head = "".join(good.format(i) + "\n" for i in range(3)).encode()
    data = head + line + b"\n" + "".join(good.format(i) + "\n" for i in (3, 4)).encode()
    path = f"bad/{kind}-{name}"
    open(path, "wb").write(pack(data) if pack else data)
    print(f"{kind}:{path}\t{path}:{len(head)}: {why}")
text, row, passage = "line {} is good", "{}\tline {}\tis", "{}\tline is good"
record = '{{"text": "line {} is good"}}'
titled = '{{"id": "{}", "title": "line", "text": "is good"}}'
row = row.replace("{}", "{0}")
case("text", "nul", text, b"line \0 is bad", "holds a NUL byte")
case("text", "latin1", text, b"line \xe9 is bad", "not UTF-8 at its byte 5")
case("text", "overlong", text, b"line \xc0\xaf is bad", "not UTF-8 at its byte 5")
case("text", "overlong3", text, b"line \xe0\x80\xaf is bad", "not UTF-8 at its byte 5")
case("text", "surrogate", text, b"line \xed\xa0\x80 is bad", "not UTF-8 at its byte 5")
case("text", "beyond", text, b"line \xf4\x90\x80\x80 is bad", "not UTF-8 at its byte 5")
case("text", "cut", text, b"line \xe2\x82", "not UTF-8 at its byte 5")
case("text", "long", text, b"a" * (16 << 20) + b"b", "longer than 16 MiB")
case("c4", "half", record, b'{"text": "line', "not JSON")
case("c4", "half.gz", record, b'{"text": "line', "not JSON", gzip.compress)
case("c4", "list", record, b'["line"]', "no JSON object")
case("c4", "two", record, b'{"text": "a"} {"text": "b"}', "more than one value")
case("c4", "number", record, b'{"text": 7}', "text is no string")
case("c4", "nul", record, b'{"text": "a\\u0000b"}', "holds a NUL byte")
case("c4", "rawnul", record, b'{"text": "a\0b"}', "")
case("c4", "latin1", record, b'{"text": "a\xe9b"}', "")
case("c4", "high", record, b'{"text": "a\\ud83d b"}', "a lone surrogate")
case("c4", "low", record, b'{"text": "a\\udE00 b"}', "a lone surrogate")
case("c4", "highhigh", record, b'{"text": "\\ud83d\\ud83d\\ude00"}', "a lone surrogate")
case("c4", "deep", record, b'{"a":' * 70 + b"1" + b"}" * 70, "nested too deeply")
case("c4", "deeper", record, b'{"text": ' + b"[" * 60000, "nested too deeply")
case("c4", "brackets", record, b'{"text": [' + b"[]," * 3000000 + b"1]}", "too many values")
case("c4", "long", record, b'{"text": "' + b"a" * (16 << 20) + b'"}', "longer than 16 MiB")
case("jsonl", "half", record, b'{"text": "line"', "not JSON")
case("news", "half", titled, b'{"title": "line", "text": tru}', "not JSON")
case("s2orc", "half", '{{"corpusid": {}, "abstract": "line"}}', b'{"corpusid": 7,', "not JSON")
case("s2orc", "marks", '{{"corpusid": {}, "abstract": "line"}}', json.dumps(
    {"corpusid": 1, "content": {"text": "line", "annotations":
     {"paragraph": '[{"start": 2, "end": 99}]'}}}).encode(), "")
case("msmarco", "three", passage, b"7\tline\tis", "wrong number of columns")
case("msmarco", "one", passage, b"line", "wrong number of columns")
case("tsv", "few", row, b"7\tline", "wrong number of columns")
case("wikipedia", "json", titled, b'{"title": "line", "text"', "not JSON")
doc = '<doc id="{0}" title="line">\nline\n\nis good {0}\n</doc>'
case("wikipedia", "outside", doc, b"is bad", "outside of <doc>")
case("wikipedia", "open", doc, b'<doc id="7" title="line">\nline\n\nis bad', "an article without </doc>")
page = "<page><title>{0}</title><ns>0</ns><revision><text>is good</text></revision></page>"
whole = "<mediawiki>\n" + "".join(page.format(i) + "\n" for i in range(3))
at = len(whole)
whole += "<page><ns>0</ns><revision><text>is bad</text></revision></page>\n"
whole += "".join(page.format(i) + "\n" for i in (3, 4)) + "</mediawiki>\n"
open("bad/page", "w").write(whole)
print(f"wikipedia:bad/page\tbad/page:{at}: no title")
END
}

records() {
    local sources=(--source text:good.txt) spec np
    make_records
    while read -r spec _; do sources+=(--source "$spec"); done <places
    # What is no document is not bad: empty, blank, null.
    : >empty
    printf '\n \t\n\r\n' >blank
    printf '{"text": ""}\n{"text": null}\n{}\n{"text": " "}\n{"text": "line"}\n' >nothing
    printf '7\t\n8\tline\n' >nothing.tsv
    sources+=(--source text:empty --source text:blank --source c4:nothing --source msmarco:nothing.tsv)
    for np in 1 3; do
        rm -rf run
        expect 0 "1 of 6 records of 'c4:bad/c4-half' cannot be read and are left out, first: bad/c4-half:" \
            peak 1500 mpirun --oversubscribe --bind-to none -n $np "$shardbert" "${ingest[@]}" "${sources[@]}" \
            --column 3 --max-bad 0.2
        mv run "run$np"
    done
    diff -r run1 run3 >differs || fail "np 1 and 3 differ: $(head -5 differs)"
    rm run1/corpus/*.mdb
    python3 - <<'END' || fail "bad records"
import json, re, sys
found = json.load(open("run1/corpus/corpus.json"))["sources"][1:]
places = [l.rstrip("\n").split("\t") for l in open("places")]
wrong = 0
for (spec, place), s in zip(places, found):
    assert s["spec"] == spec
    if (s["documents"], s["bad"]) != (5, 1) or not s["first_bad"].startswith(place):
        print(spec, s["documents"], "documents,", s["bad"], "bad:", s["first_bad"], ", not", place)
        wrong = 1
for s, want in zip(found[len(places):], ((0, 0), (0, 0), (1, 4), (1, 1))):
    if (s["documents"], s["skipped"], s["bad"]) != (*want, 0):
        print(s["spec"], s["documents"], s["skipped"], s["bad"])
        wrong = 1
sys.exit(wrong or len(found) < len(places) + 4)
END
    "$shardbert" inspect run1/corpus >shown
    grep -q '1 unreadable, first: bad/text-nul:45: holds a NUL byte' shown || fail "not shown: $(grep first: shown)"
    rm -rf run1 run3 bad
}

# --max-bad counts by source: 2 of 200 is 1 %, 3 of 200 is more.
shares() {
    local bad='{"text": 7}'
    { for _ in {1..198}; do echo '{"text": "line"}'; done; echo "$bad"; echo "$bad"; } >two.json
    { sed 1d two.json; echo "$bad"; } >three.json
    rm -rf run
    expect 0 "2 of 200 records of 'c4:two.json' cannot be read and are left out, first: two.json:3366: text is no" \
        mpi 3 "$shardbert" "${ingest[@]}" --source text:good.txt --source c4:two.json
    refused 3 "3 of 200 records of 'c4:three.json' cannot be read, first: three.json:3349: text is no" \
        --source text:good.txt --source text:good.txt --source c4:three.json
    hint 3 'max-bad' "$shardbert" "${ingest[@]}" --source text:good.txt --source c4:three.json
    refused 3 "2 of 200 records of 'c4:two.json' cannot" --source c4:two.json --max-bad 0
    # Only this option changes: nothing is done anew.
    stat -c '%n %i' run/corpus/train* >before
    expect 0 'ingest *done' "$shardbert" "${ingest[@]}" --source c4:two.json --max-bad 0.01
    stat -c '%n %i' run/corpus/train* >after
    cmp before after || fail "--max-bad made the shards anew"
    # Another kind of file is not read to its end.
    yes 'no JSON at all' | head -n 5000 >other.json || true
    refused 3 "'other.json': its first 1000 records are all bad, the last one at byte 14985: no JSON object" \
        --source text:good.txt --source c4:other.json
    hint 3 "of the kind 'c4'" "$shardbert" "${ingest[@]}" --source c4:other.json
    rm -rf run
    expect 3 'its first 1000 records are all bad' "$shardbert" vocab --run run --source c4:other.json
}

# ---- files --------------------------------------------------------------------------

# Each is whole, then cut off, flipped, and followed by something else.
packed() {
    local how size
    { for i in {1..20000}; do echo "line $i is good, $((i * i % 9973))"; done; } >plain
    for how in gzip bzip2 xz zstd; do
        "$how" -qc plain >whole
        size=$(stat -c %s whole)
        head -c $((size / 2)) whole >broken
        refused 3 "'broken' is cut off: its $how data does not end at byte $((size / 2))" \
            --source text:good.txt --source text:broken
        cp whole broken
        printf '\245\132\377\074' | dd of=broken bs=1 seek=$((size / 2)) conv=notrunc status=none
        expect 3 "'broken' is damaged near byte [0-9]* ($how)" "$shardbert" "${ingest[@]}" --source text:broken
        { cat whole; echo more; } >broken
        expect 3 "'broken' is $how up to byte $size and something else" "$shardbert" "${ingest[@]}" --source text:broken
        head -c 5 whole >broken
        expect 3 'broken' "$shardbert" "${ingest[@]}" --source text:broken
    done
}

# What was sealed before a damaged file was met stays, and is part of the
# corpus once the file is whole.
goes_on() {
    local i
    mkdir -p many
    for i in {0..5}; do seq -f "line %g is good $i" 30000 | gzip -c >"many/$i.gz"; done
    head -c 4000 many/5.gz >many/6.gz
    cp many/5.gz whole
    local command=("${ingest[@]}")
    for i in {0..6}; do command+=(--source "text:many/$i.gz"); done
    rm -rf run
    expect 3 "'many/6.gz' is cut off" mpi 3 "$shardbert" "${command[@]}"
    compgen -G 'run/corpus/unit-*.done' >/dev/null || fail "nothing was sealed"
    ls run/corpus/train-*.mdb >/dev/null
    find run -name 'unit-*.done' | sed 's/.*unit-//;s/.done//' | sort >marks
    while read -r i; do stat -c '%n %i %y' "run/corpus/train-$i.mdb"; done <marks >before
    cp whole many/6.gz
    expect 0 'ingest *done' mpi 2 "$shardbert" "${command[@]}"
    while read -r i; do stat -c '%n %i %y' "run/corpus/train-$i.mdb"; done <marks >after
    cmp before after || fail "what was sealed was done anew"
    rm -rf kept
    mv run kept
    expect 0 'ingest *done' "$shardbert" "${command[@]}"
    diff -r kept run || fail "not like a clean ingest"
    rm -rf kept many
}

xml() {
    local text='<revision><text>is good</text></revision></page>'
    {
        printf '<?xml version="1.0"?>\n<!DOCTYPE mediawiki [\n<!ENTITY a0 "line">\n'
        for i in {1..30}; do echo "<!ENTITY a$i \"&a$((i - 1));&a$((i - 1));&a$((i - 1));\">"; done
        echo "]><mediawiki><page><title>&a30;</title><ns>0</ns>$text</mediawiki>"
    } >laughs.xml
    refused 3 "'laughs.xml', line 2: declares a DOCTYPE" --source text:good.txt --source wikipedia:laughs.xml
    {
        printf '<mediawiki><page><title>a</title><ns>0</ns>'
        yes '<b>' | head -n 100000 || true
    } >deep.xml
    refused 3 "'deep.xml', line [0-9]*: elements are nested too deep" --source wikipedia:deep.xml
    printf '<mediawiki>\n<page><title>a</title><ns>0</ns>%s\n<page><ti' "$text" >cut.xml
    refused 3 "'cut.xml', line 3: the file ends inside an element" --source text:good.txt --source wikipedia:cut.xml
    printf '<mediawiki>\n<page><title>a</title>\n</page></b>' >crossed.xml
    refused 3 "'crossed.xml', line 3: mismatched tag" --source wikipedia:crossed.xml
    { printf '<mediawiki><page a="'; head -c 3000000 /dev/zero | tr '\0' a; } >tag.xml
    expect 3 "'tag.xml', line 1: a tag or comment is longer than 1 MiB" "$shardbert" "${ingest[@]}" --source wikipedia:tag.xml
    echo 'no articles' >neither
    refused 3 "'neither' is neither WikiExtractor's output nor an XML dump" --source text:good.txt --source wikipedia:neither
}

# ---- what is too much ---------------------------------------------------------------

# A line of 300 MiB, or with SB_LONG of a gigabyte: plain (with holes, so it costs little), cut into many
# units. Its size does not matter to memory.
long_line() {
    local size=300M np
    [ -z "${SB_LONG:-}" ] || size=1G
    { cat good.txt; printf x; } >long.txt
    truncate -s $size long.txt
    { echo; cat good.txt; } >>long.txt
    for np in 1 3; do
        rm -rf run
        expect 0 "1 of 601 records of 'text:long.txt' cannot be read .*first: long.txt:$(stat -c %s good.txt): longer than" \
            peak 300 mpirun --oversubscribe --bind-to none -n $np "$shardbert" "${ingest[@]}" --source text:long.txt
        mv run "run$np"
    done
    diff -r run1 run3 || fail "np 1 and 3 differ"
    [ "$(find run1 -name 'train-*' | wc -l)" -le 2 ] || fail "shards of nothing"
    rm -rf run run1 run3
    printf '{"text": "x' >long.txt
    truncate -s $size long.txt
    expect 3 'long.txt:[0-9]*: ' peak 300 "$shardbert" "${ingest[@]}" --source jsonl:long.txt
    rm long.txt
}

# bomb PROGRAM MIB: zeros
bomb() {
    head -c "$2M" /dev/zero | "$1" -qc >bomb
    refused 3 "'bomb' unpacks to more than 200 times its size: [0-9]* bytes by byte [0-9]*" --source text:good.txt --source text:bomb
    hint 3 'raise --max-ratio' "$shardbert" "${ingest[@]}" --source text:bomb
}
bombs() {
    bomb zstd 1100
    # Allowed to be one, it is a line that is too long.
    refused 3 "1 of 1 records of 'text:bomb' cannot be read, first: bomb:0: longer than" \
        --source text:good.txt --source text:bomb --max-ratio 1e9
    expect 3 'unpacks to more' peak 300 "$shardbert" "${ingest[@]}" --source text:bomb
    if [ -z "${SB_LONG:-}" ]; then
        # A gigabyte by members that follow each other, which costs little.
        head -c 64M /dev/zero | gzip -qc >member
        for _ in {1..18}; do cat member; done >bomb
        expect 3 'unpacks to more' "$shardbert" "${ingest[@]}" --source text:bomb
        head -c 64M /dev/zero | bzip2 -qc >member
        for _ in {1..18}; do cat member; done >bomb
        expect 3 'unpacks to more' "$shardbert" "${ingest[@]}" --source text:bomb
    else
        bomb gzip 1100
        bomb bzip2 1100
        bomb xz 1100
    fi
    rm bomb
}

# Many small files share units; more of them are not much more memory.
small_files() {
    local n=5000
    [ -z "${SB_LONG:-}" ] || n=300000
    rm -rf small run
    python3 - $n <<'END'
import os, sys
for i in range(int(sys.argv[1])):
    if i % 1000 == 0:
        os.makedirs(f"small/{i // 1000:03}")
    with open(f"small/{i // 1000:03}/{i:06}.txt", "w") as f:
        f.write(f"line {i} is good\n")
END
    peak 400 timeout 600 mpirun --oversubscribe --bind-to none -n 2 "$shardbert" "${ingest[@]}" \
        --source 'text:small/*/*' --held-out 0 --log error || fail "$n small files"
    [ "$(find run -name '*.mdb' | wc -l)" -le 4 ] || fail "shards: $(find run -name '*.mdb' | wc -l)"
    grep -q "\"documents\": $n, " run/corpus/corpus.json || fail "not $n documents"
    rm -rf small run
}

# ---- what goes away -----------------------------------------------------------------

# while_read COMMAND: start reading, freeze, do it to `victim`, and go on
while_read() {
    local code=0 ranks
    rm -rf run
    cp good.txt victim
    mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -n 2 "$shardbert" "${ingest[@]}" \
        --source 'text:busy.txt' --source text:victim >log 2>&1 &
    mpirun_pid=$!
    while kill -0 "$mpirun_pid" 2>/dev/null && [ ! -e run/corpus/made-from ]; do sleep 0.002; done
    mapfile -t ranks < <(pgrep -P "$mpirun_pid")
    kill -STOP "${ranks[@]}" 2>/dev/null || true
    "$@"
    kill -CONT "${ranks[@]}" 2>/dev/null || true
    wait "$mpirun_pid" || code=$?
    mpirun_pid=
    [ $code != 0 ] || return 1
    [ $code = 3 ] || fail "exit $code: $(cat log)"
    [ "$(grep -c '^shardbert: error' log)" = 1 ] || fail "not one error: $(cat log)"
    [ ! -e run/corpus/corpus.json ] || fail "a corpus"
}
goes_away() {
    local code=0
    for i in {1..40}; do seq -f "line %g is good $i" 40000; done >busy.txt
    while_read rm victim || while_read rm victim || while_read rm victim || fail "it was too late"
    grep -q "cannot read 'victim': No such file" log || fail "$(cat log)"
    while_read truncate -s 100 victim || while_read truncate -s 100 victim || fail "it was too late"
    grep -q "'victim' ends at byte 100, it had $(stat -c %s good.txt) when the run began" log || fail "$(cat log)"
    # What was sealed counts, and it goes on without the file's rest.
    compgen -G 'run/corpus/unit-*.done' >/dev/null || fail "nothing was sealed"
    expect 0 'ingest *done' mpi 2 "$shardbert" "${ingest[@]}" --source text:busy.txt --source text:victim
    rm busy.txt
}

unreadable() {
    [ "$(id -u)" = 0 ] && command -v runuser >/dev/null || return 0
    mkdir -p closed/in own
    cp good.txt closed/in/
    cp good.txt secret.txt
    chmod 700 closed/in
    chmod 600 secret.txt
    chmod 755 "$tmp" closed
    chown nobody own
    runuser -u nobody -- test -x "$shardbert" || return 0
    local as=(runuser -u nobody -- "$shardbert" ingest --run own/run --vocab vocab/vocab.txt --source text:good.txt)
    expect 3 "cannot list the folder 'closed/in': Permission denied" "${as[@]}" --source 'text:closed/*/*.txt'
    expect 3 "cannot list the folder 'closed/in': Permission denied" "${as[@]}" --source 'text:closed/in/*'
    expect 3 "closed/in/good.txt.*Permission denied" "${as[@]}" --source text:closed/in/good.txt
    expect 3 "cannot read 'secret.txt': Permission denied" "${as[@]}" --source 'text:*.txt'
    [ ! -e own/run/corpus ] || fail "a corpus of what cannot be read"
    expect 0 'ingest *done' "${as[@]}"
}

full_disk() {
    if [ "$(id -u)" != 0 ] || ! { mkdir -p full && mount -t tmpfs -o size=6m none full; }; then
        echo "full disk: not tested, only root can mount a small one"
        return 0
    fi
    for i in {1..9}; do seq -f "line %g is good $i" 30000 | gzip -1c >"many$i.gz"; done
    local command=(ingest --run "$tmp/full/run" --vocab vocab/vocab.txt --source 'text:many1.gz'
        --source text:many2.gz --source 'text:many[3-9].gz')
    hint 3 'free some space' mpi 3 "$shardbert" "${command[@]}"
    hint 3 'free some space' "$shardbert" "${command[@]}"
    [ -z "$(find full -name '*tmp*')" ] || fail "left behind: $(find full -name '*tmp*')"
    mount -o remount,size=60m none full
    expect 0 'ingest *done' mpi 2 "$shardbert" "${command[@]}"
    rm -rf run
    expect 0 'ingest *done' "$shardbert" "${command[@]/$tmp\/full\/run/$tmp/run}"
    diff -r -x corpus.json full/run/corpus run/corpus || fail "not like an ingest with room"
    umount full
    rm many*.gz
}

for part in ${SB_PARTS:-records shares packed goes_on xml long_line bombs small_files goes_away unreadable full_disk}; do
    start=$SECONDS
    $part
    [ -z "$(pgrep -f -r D,R,S,T -- "--run $tmp/run")" ] || fail "$part: orphans"
    echo "$part: well refused, $((SECONDS - start)) s"
done

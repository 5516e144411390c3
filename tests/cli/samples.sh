#!/bin/bash
# SPDX-License-Identifier: MIT
# The samples of the five sources in ../shared: documents are as many as Python
# counts, none is bad, and what was encoded is what Python reads.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
data=${SB_SHARED:-$SB_SOURCE/../shared}/data/corpus
[ -d "$data" ] || {
    echo "skipped: no $data (SB_SHARED names the folder)"
    exit 77
}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
ln -s "$data" "$tmp/in"
cd "$tmp"

sources=(--source 'c4:in/c4/*.gz' --source 'msmarco:in/msmarco/*' --source 'news:in/news/*'
    --source 'wikipedia:in/wikipedia/extractor/*/*' --source 'wikipedia:in/wikipedia/extractor-json/*/*'
    --source 'wikipedia:in/wikipedia/dump/*' --source 's2orc:in/s2orc/2020/*/*' --source 's2orc:in/s2orc/api/*/*')
mpi 2 "$shardbert" vocab --run run --vocab-size 32000 "${sources[@]}" --log error
[ "$(wc -l <run/vocab/vocab.txt)" = 32000 ] || fail "not 32000 pieces"
echo "vocabulary: $SECONDS s"
mpi 2 "$shardbert" ingest --run run "${sources[@]}" --log error
echo "ingest: $SECONDS s"
"$shardbert" inspect run/corpus --sample 600 >shown
python3 - <<'END' || fail "not what the samples hold"
import bz2, glob, gzip, html, json, re, sys, unicodedata
import xml.etree.ElementTree as ET

def files(pattern):
    names = sorted(glob.glob(pattern))
    assert names, pattern
    for n in names:
        if n.endswith(".gz"):
            yield gzip.open(n, "rb")
        elif n.endswith(".bz2"):
            yield bz2.open(n, "rb")
        else:
            yield open(n, "rb")

def lines(pattern):
    for f in files(pattern):
        yield from (l for l in f.read().decode().split("\n") if l.strip())

def c4():
    for l in lines("in/c4/*.gz"):
        yield json.loads(l)["text"]

def msmarco():
    for l in lines("in/msmarco/*"):
        yield l.split("\t")[1]

def titled(text, title):
    if not text.strip():
        return ""
    return text if text.split("\n")[0] == title else title + "\n" + text

def news():
    for l in lines("in/news/*"):
        if l.startswith('{"'):
            r = json.loads(l)
            yield titled(r["text"], r["title"])
        else:
            yield l

def extractor():
    for f in files("in/wikipedia/extractor/*/*"):
        for m in re.finditer(r"<doc [^>]*>\n(.*?)</doc>", f.read().decode(), re.S):
            # nothing but the title is no text
            yield html.unescape(m[1]) if len(m[1].split()) and "\n" in m[1].strip() else ""

def extractor_json():
    for l in lines("in/wikipedia/extractor-json/*/*"):
        r = json.loads(l)
        yield titled(r["text"], r["title"])

def dump():
    for f in files("in/wikipedia/dump/*"):
        for _, e in ET.iterparse(f):
            if not e.tag.endswith("}page"):
                continue
            x = e.tag[:-4]
            main = e.find(x + "ns").text == "0" and e.find(x + "redirect") is None
            yield None if main else ""
            e.clear()

def s2orc_2020():
    for l in lines("in/s2orc/2020/metadata/*"):
        r = json.loads(l)
        yield None if (r["abstract"] or "").strip() and not r.get("has_pdf_parsed_abstract") else ""
    for l in lines("in/s2orc/2020/pdf_parses/*"):
        r = json.loads(l)
        yield None if any(p["text"].strip() for p in r["abstract"] + r["body_text"]) else ""

def s2orc_api():
    for l in lines("in/s2orc/api/*/*"):
        r = json.loads(l)
        if "content" in r:
            yield None if r["content"]["text"].strip() else ""
        else:
            yield r["abstract"] or ""

def letters(text):
    text = unicodedata.normalize("NFD", text.lower())
    return "".join(c for c in text if not c.isspace() and
                   unicodedata.category(c) not in ("Mn", "Cc", "Cf"))

shown = re.findall(r"^document \d+, source (\d+), .*\n  text: +(.*)\n", open("shown").read(), re.M)
found = json.load(open("run/corpus/corpus.json"))["sources"]
bad = compared = 0
for i, (read, m) in enumerate(zip((c4, msmarco, news, extractor, extractor_json, dump,
                                   s2orc_2020, s2orc_api), found)):
    texts = list(read())
    good = sum(t is None or bool(t.strip()) for t in texts)
    want = {"documents": good, "skipped": len(texts) - good, "bad": 0}
    got = {k: m[k] for k in want}
    print(m["spec"], got, m["tokens"], "tokens,", m["duplicates"], "duplicates")
    if got != want:
        print("   not", want)
        bad = 1
    have = {letters(t) for t in texts if t}
    for source, text in shown:
        if int(source) != i + 1 or "[UNK]" in text or None in texts:
            continue
        compared += 1
        if letters(text) not in have:
            print("no such text in source", source, ":", text[:300])
            bad = 1
print(compared, "documents are the same letters")
sys.exit(bad or compared < 300)
END
echo "samples: $SECONDS s"

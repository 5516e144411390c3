#!/bin/bash
# SPDX-License-Identifier: MIT
# A report of a small run: well-formed, with nothing from outside, hostile names
# and all, also of an unfinished or damaged run; then in a real browser.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder

# Elements are closed in order, ids are unique, links and labels have targets,
# and nothing but the page itself is named: check_page PAGE
check_page() {
    python3 - "$1" <<'END' || fail "$1 is not a good page"
import html.parser, re, sys
VOID = {"meta", "link", "path", "circle", "polyline", "polygon", "br"}
text = open(sys.argv[1], encoding="utf-8").read()  # strict
class Page(html.parser.HTMLParser):
    open, ids, wanted, tags = [], set(), [], set()
    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            if name == "id":
                assert value not in self.ids, value
                self.ids.add(value)
            if name in ("href", "src"):
                assert value.startswith("#") or value == "data:,", value
            if name == "href" and value.startswith("#"):
                self.wanted.append(value[1:])
            if name == "aria-labelledby":
                self.wanted += value.split()
    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()
    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (self.open[-3:], tag, self.getpos())
        self.open.pop()
    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            assert "\0" not in data and not re.search("[\x01-\x08\x0b-\x1f]", data)
page = Page()
page.feed(text)
page.close()
assert not page.open, page.open
assert set(page.wanted) <= page.ids, set(page.wanted) - page.ids
assert not page.tags & {"img", "iframe", "object", "form", "base"}, page.tags
assert text.count("<script>") == 1 and len(text) < 2_000_000
assert len(re.findall("<svg", text)) == len(re.findall("<title id", text)) == len(re.findall("<desc id", text))
END
}

# A run in a folder of a hostile name, of two sources, one hostile
run='run <b>&"'\'
name='<img src=x onerror=alert(1)> "&'\'
mkdir -p "$run" "in/$name"
small_text >in/a.txt
small_text | tac >"in/$name/b.txt"
sources=(--source "text:in/a.txt" --source "text:in/$name/*.txt:0.5" --documents paragraph)
printf ': family\nthe a of to\n' >questions.txt
printf 'the a 5\nof to 3\nand or 1\n' >pairs.txt
"$shardbert" vocab --run "$run" "${sources[@]}" --vocab-size 1000 --log error
"$shardbert" ingest --run "$run" "${sources[@]}" --held-out 0.1 --block-tokens 1024 --log error
expect 0 'report.html$' "$shardbert" report "$run"
check_page "$run/report.html"
grep -q 'This run folder has no metrics of mlm; ' "$run/report.html" || fail "no word of mlm"
grep -q 'This run folder has no word vectors; ' "$run/report.html" || fail "no word of vectors"

"$shardbert" word2vec --run "$run" --dim 16 --epochs 3 --threads 1 --log error --evaluations 3 \
    --analogies questions.txt --similarity pairs.txt
mlm=("$shardbert" mlm --run "$run" --log error --dim 16 --layers 2 --heads 2 --ffn 32 --positions 32 --max-length 32
    --batch 8 --slots 4 --vocab-block 300 --steps 300 --warmup 20 --lr 1e-3 --eval-every 50 --eval-samples 50
    --checkpoint-every 100)
mpi 2 "${mlm[@]}" --stop-at 250 >/dev/null
expect 0 '^page.html$' mpi 2 "$shardbert" report "$run" --html page.html --log warn
check_page page.html
for what in 'Held-out accuracy' 'Waiting by cause' 'Gradient norms by group' 'layer.1' 'Share of BLAS' 'Learning rate' \
    'Analogies answered' 'Similarity of words' 'words/s' '<td>250 of 300</td>' 'eval-every = 50' \
    '&lt;img src=x onerror=alert(1)&gt; &quot;&amp;&#39;/\*.txt' '<h1>run &lt;b&gt;&amp;&quot;&#39;</h1>'; do
    grep -qe "$what" page.html || fail "no '$what' in the page"
done
[ "$(grep -c '<svg' page.html)" -ge 15 ] || fail "only $(grep -c '<svg' page.html) plots"
# The same page, whoever writes it, but for the time
same() { sed 's/Written .* by//' "$1"; }
expect 0 . "$shardbert" report --run "$run" --html alone.html
cmp <(same page.html) <(same alone.html) || fail "one rank writes another page"

"$shardbert" report "$run" --words 'license,the software' --html words.html >/dev/null
grep -q '<th scope="row">the software</th>' words.html || fail "--words is not heeded"
hint 3 'shardbert report RUN' "$shardbert" report in
expect 2 'one run folder, not of 2' "$shardbert" report "$run" in
expect 3 'no/such' "$shardbert" report "$run" --html no/such/folder.html

# Damage, and a run that is being written
damaged=damaged/$run
mkdir damaged
cp -r "$run" damaged/
for f in "$damaged"/word2vec/ckpt-*/part-00000.pb "$damaged"/mlm/ckpt-*250/manifest.pb; do
    printf 'XXXX' | dd of="$f" bs=1 seek=30 conv=notrunc status=none
done
printf '{"step":1,"heldout_loss/<script>alert(1)</script>":3}\n{"step":9e99,"loss":-1e99}\nnonsense\n{"step":251,"lo' \
    >>"$damaged/mlm/metrics.jsonl"
printf '{}' >"$damaged/corpus/corpus.json"
expect 0 'warning: .*corpus.json' "$shardbert" report "$damaged" --html damaged.html
check_page damaged.html
grep -q '2 of [0-9]* lines of metrics.jsonl cannot be read' damaged.html || fail "no word of lines"
[ "$(grep -c 'annot be read: ' damaged.html)" -ge 3 ] || fail "damage is not told: $(grep 'annot be read' damaged.html)"

command -v chromium >/dev/null || {
    echo "skipped: the pages in a browser, for there is no chromium (launch/install-packages test)"
    exit 77
}
for page in page damaged; do
    timeout 200 python3 "$SB_SOURCE/tests/cli/browse.py" $page.html "${SB_SHOTS:-shots}/$page" || fail "$page.html in a browser"
done

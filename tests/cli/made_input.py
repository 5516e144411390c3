# SPDX-License-Identifier: MIT
"""Small inputs of every kind, the same bytes each time, into the folder that
is named; what an ingest of them must count, as JSON on standard output."""
import bz2
import gzip
import json
import lzma
import os
import random
import subprocess
import sys

SEED = 5
rng = random.Random(SEED)
SYLLABLES = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
WORDS = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(3000)]


def sentence():
    return " ".join(rng.choices(WORDS, k=rng.randint(6, 20))) + "."


def document(least, most):
    return "\n".join(sentence() for _ in range(rng.randint(least, most)))


def documents(n, least=2, most=8):
    return [document(least, most) for _ in range(n)]


def lines(n):
    return [sentence() for _ in range(n)]


def zstd(data):
    return subprocess.run(["zstd", "-qc"], input=data, stdout=subprocess.PIPE,
                          check=True).stdout


def write(name, text, pack=None):
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    data = text if isinstance(text, bytes) else text.encode()
    with open(name, "wb") as f:
        f.write(pack(data) if pack else data)


def gz(data):
    return gzip.compress(data, mtime=0)


def json_lines(records):
    return "".join(json.dumps(r, ensure_ascii=i % 2 == 0) + "\n"
                   for i, r in enumerate(records))


EXPECT = []


def source(spec, documents, skipped=0, duplicates=0, bad=0):
    EXPECT.append({"spec": spec, "documents": documents, "skipped": skipped,
                   "duplicates": duplicates, "bad": bad})


def big():
    """3 units of one file, and 3 files with a unit each."""
    n = 0
    for name, size in (("0", 9), ("1", 3), ("2", 3), ("3", 3)):
        parts, have = [], 0
        while have < size << 20:
            parts.append(document(5, 30))
            have += len(parts[-1]) + 2
        write(f"big/{name}.txt", "\n\n".join(parts) + "\n")
        n += len(parts)
    source("text:../in/big/*.txt", n)


def c4():
    texts = documents(400)
    texts[100] = texts[99]
    texts[399] = texts[7] = texts[6]
    record = [{"text": t + " \u00e9\U0001f600", "timestamp": "2019-04-25T12:57:54Z",
               "url": "https://example.org/"} for t in texts]
    record[3]["text"] = ""
    record[4]["text"] = " \n"
    record[5]["text"] = None
    write("c4/a.json.gz", gz(json_lines(record[:200]).encode()) +
          gz(json_lines(record[200:]).encode()))
    write("c4/b.json", json_lines(
        [{"text": t} for t in documents(100)] + [{"text": record[0]["text"]}]))
    source("c4:../in/c4/*", 397 + 101, 3, 4)


def msmarco():
    """A name that says plain, and is gzip."""
    passages = lines(500)
    write("msmarco/collection.tsv",
          "".join(f"{i}\t{p}\n" for i, p in enumerate(passages)), gz)
    source("msmarco:../in/msmarco/collection.tsv", 500)
    return passages


def news(passages):
    """A name that says gzip, and is xz; five lines that msmarco has too."""
    write("news/news.2005.gz", "\n".join(lines(600) + passages[:5]), lzma.compress)
    write("news/cc.jsonl", json_lines(
        [{"title": sentence(), "text": t} for t in documents(200)]), gz)
    source("news:../in/news/*", 805, 0, 5)


def wikipedia():
    def doc(i, text):
        return (f'<doc id="{i}" url="https://en.wikipedia.org/wiki?curid={i}" '
                f'title="Title {i}">\nTitle {i}\n\n{text}</doc>\n')
    for k in range(2):
        write(f"wiki/AA/wiki_0{k}.bz2",
              "".join(doc(100 * k + i, t + "\n") for i, t in enumerate(documents(30))) +
              doc(999 + k, ""), bz2.compress if k == 0 else None)
    source("wikipedia:../in/wiki/AA/*", 60, 2)
    write("wiki/json/wiki_00", json_lines(
        [{"id": str(i), "url": "", "title": f"Name {i}", "text": t}
         for i, t in enumerate(documents(80))]), zstd)
    source("wikipedia:../in/wiki/json/*", 80)

    def page(i, space, text, redirect=""):
        return (f"<page><title>Page {i}</title><ns>{space}</ns><id>{i}</id>{redirect}"
                f"<revision><id>1</id><text xml:space=\"preserve\">{text}</text>"
                "</revision></page>\n")
    pages = [page(i, 0, f"'''{t}''' [[other|word]] {{{{box}}}} &amp;amp;")
             for i, t in enumerate(documents(35))]
    pages += [page(50 + i, 0, "#REDIRECT [[Page 1]]", '<redirect title="Page 1" />')
              for i in range(5)]
    pages += [page(60 + i, 1, document(1, 2)) for i in range(10)]
    rng.shuffle(pages)
    write("wiki/dump.xml.bz2",
          '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" '
          'version="0.10" xml:lang="en">\n<siteinfo><sitename>W</sitename></siteinfo>\n' +
          "".join(pages) + "</mediawiki>\n", bz2.compress)
    source("wikipedia:../in/wiki/dump.xml.bz2", 35, 15)


def s2orc():
    record = [{"paper_id": str(i), "title": f"Paper {i}", "abstract": sentence(),
               "has_pdf_parsed_abstract": False} for i in range(60)]
    for r in record[:20]:
        r["abstract"] = None
    for r in record[20:30]:
        r["has_pdf_parsed_abstract"] = True
    write("s2orc/2020/metadata_0.jsonl.gz", json_lines(record), gz)

    def part(section):
        return {"section": section, "text": sentence(), "cite_spans": []}
    write("s2orc/2020/pdf_parses_0.jsonl.gz", json_lines(
        [{"paper_id": str(100 + i), "abstract": [part("Abstract")],
          "body_text": [part("One"), part("One"), part("Two")]}
         for i in range(25)]), gz)
    source("s2orc:../in/s2orc/2020/*", 55, 30)
    api = []
    for i in range(30):
        title, body = f"On {i}", sentence()
        marks = {"title": json.dumps([{"start": 0, "end": len(title)}]),
                 "paragraph": json.dumps([{"start": str(len(title) + 1),
                                           "end": str(len(title) + 1 + len(body))}])}
        api.append({"corpusid": i, "content": {
            "text": title + "\n" + body, "annotations": marks}})
    write("s2orc/api/s2orc.gz", json_lines(api), gz)
    write("s2orc/api/abstracts.gz", json_lines(
        [{"corpusid": 1000 + i, "abstract": t} for i, t in enumerate(lines(40))]), zstd)
    source("s2orc:../in/s2orc/api/*", 70)


def fields():
    record = [{"a": {"b": t}, "text": "no"} for t in documents(150)]
    record += [{"a": {}}, {"a": {"b": None}}, {}]
    write("deep.jsonl", json_lines(record))
    source("jsonl:../in/deep.jsonl", 150, 3)
    write("table.tsv", "".join(f"{i}\t{t}\tno\n" for i, t in enumerate(lines(100))) +
          "7\t\tno\n")
    source("tsv:../in/table.tsv", 100, 1)


def small():
    """300 files of a paragraph or two; a BOM, carriage returns, no last end."""
    n = 0
    for i in range(300):
        parts = documents(1 + i % 2)
        text = "\n\n".join(parts) + ("" if i % 3 else "\n")
        if i % 5 == 0:
            text = text.replace("\n", "\r\n")
        if i % 7 == 0:
            text = "\ufeff" + text
        write(f"small/{i:03}.txt", text)
        n += len(parts)
    write("small/none.txt", "")
    source("text:../in/small/*.txt", n)


os.makedirs(sys.argv[1], exist_ok=True)
os.chdir(sys.argv[1])
big()
c4()
news(msmarco())
wikipedia()
s2orc()
fields()
small()
json.dump(EXPECT, sys.stdout, indent=1)

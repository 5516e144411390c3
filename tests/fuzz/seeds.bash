# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# make_seeds FOLDER FUZZ_SEEDS: FOLDER/TARGET/*, small inputs that each target
# takes apart, and FOLDER/TARGET.dict, words it knows. FUZZ_SEEDS is the
# program that writes those which text cannot spell.

seeds=
# seed TARGET NAME FORMAT [ARGUMENT...]: as printf has it
seed() {
    mkdir -p "$seeds/$1"
    # shellcheck disable=SC2059
    printf "${@:3}" >"$seeds/$1/$2"
}

# dict TARGET WORD...
dict() {
    local word
    for word in "${@:2}"; do
        word=${word//\\/\\\\}
        printf '"%s"\n' "${word//\"/\\\"}"
    done >"$seeds/$1.dict"
}

make_seeds() {
    local form kind i
    seeds=$1
    "$2" "$seeds"

    # The first byte: form 0, 1, 2
    seed json field '\0{"a":{"text":"one\\ntwo \\u00e9"},"n":[1,2.5e3,true,null]}'
    seed json titled '\1{"title":"A title","text":"A title\\ntext","url":""}'
    seed json parse '\2{"paper_id":"1","abstract":[{"text":"a"}],"body_text":[{"text":"b","section":"S"}]}'
    seed json api '\2{"corpusid":1,"content":{"text":"Head body","annotations":{"title":"[{\\"start\\":0,\\"end\\":4}]","paragraph":"[{\\"start\\":\\"5\\",\\"end\\":9}]"}}}'
    seed json abstract '\2{"corpusid":1,"abstract":"text"}'
    dict json '{"' '":' '":"' '"}' '[' ']' '\ud800' '\u0000' 'text' title abstract body_text paper_id section \
        content annotations corpusid paragraph section_header start end has_pdf_parsed_abstract

    # The first byte is kind + 8 documents + 24 column, the second the cut
    seed records lines '\0\3one\ntwo \xc3\xa9\r\n\n  \nthree'
    seed records paragraphs '\10\3one\ntwo\n\nthree\n \nfour\n'
    seed records file '\20\0\xef\xbb\xbfone\n\ntwo\n'
    for kind in 1 5 6; do
        seed records jsonl$kind "\\$kind\\2"'{"text":"one"}\n{"text":""}\nno\n{"text":"two"}\n'
    done
    seed records msmarco '\2\0001\tone\n2\ttwo\nbad\n'
    seed records tsv '\37\1a\tb\tc\nd\te\n'
    seed records news '\3\2a line\nanother\n'
    seed records ccnews '\3\2{"title":"t","text":"u"}\n'
    seed records docs '\4\4<doc id="1" title="A">\nA\n\ntext &amp; more\n</doc>\n<doc id="2">\nB\n</doc>\n'
    seed records dump '\4\0<mediawiki><page><title>A</title><ns>0</ns><revision><text>t</text></revision></page></mediawiki>'
    dict records '<doc ' '</doc>' '{"text":"' '"}' '<mediawiki' '<?xml' '&lt;' $'\t'

    seed wiki_dump two '<?xml version="1.0"?>\n<mediawiki xmlns="x"><siteinfo/>
<page><title>A &amp; B</title><ns>0</ns><revision><text>%s</text></revision></page>
<page><title>R</title><ns>0</ns><redirect title="A"/><revision><text/></revision></page></mediawiki>' "'''A''' [[b|c]]"
    dict wiki_dump '<mediawiki' '</mediawiki>' '<page>' '</page>' '<title>' '</title>' '<ns>' '</ns>' '<text>' \
        '</text>' '<redirect' '<revision>' '</revision>' '<!DOCTYPE' '<![CDATA[' ']]>' '&amp;' '&#65;' '<?xml' '<!--'

    seed wikitext article "'''Bold''' and ''it'' [[link|text]]s, [[File:a.png|thumb|[[b]]]] {{cite|a={{b}}}} (; x)
== Head ==\n* item\n# two\n: three\n{| class=x\n|-\n| cell\n|}\n<ref name=a>r</ref> <math>x</math> [http://a b] &nbsp; &#233;
<!-- c --> <nowiki>'''</nowiki> __NOTOC__ {{convert|5|to|10|km|mi}} {{lang|fr|mot}}\n== References ==\nx\n"
    dict wikitext '[[' ']]' '{{' '}}' '{|' '|}' '|-' '<ref' '</ref>' '<!--' '-->' "'''" '==' '<nowiki>' '</nowiki>' \
        '[[File:' '[[Category:' '<table>' '</table>' '&amp;' '&#x' 'convert|' 'lang|' '__TOC__' 'http://' '<br/>' '{{{' '}}}'

    # The first byte: how much is read at once
    text=$(for i in {1..40}; do echo "line $i of a text"; done)
    for form in gzip bzip2 xz zstd; do
        seed unpack $form '\4'
        echo "$text" | $form -c >>"$seeds/unpack/$form"
        seed unpack ${form}2 '\1'
        { echo one | $form -c && echo "$text" | $form -c; } >>"$seeds/unpack/${form}2"
    done

    seed vocab small '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n\xc3\xa9\n'
    dict vocab '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' '##'
    dict tokenizer '{"' '":' '"vocab"' '"model"' '"added_tokens"' '"type"' '"id"' '"content"' true false null
    dict manifest '{"' '":' '"sources"' '"shards"' '"spec"' '"weight"' '"length"' '"name"' '"split"' 18446744073709551615
    seed encode words '\0The a b abs, \xe4\xb8\xad\xe6\x96\x87 caf\xc3\xa9 [MASK] \xc4\xb0 \xef\xbf\xbd\1 aaaaab'
    seed encode specials '\1a [MASK] b [CLS][SEP] [UNK'

    seed config recipe '# a recipe\nrun = r\nsource = text:a*.txt\nsource = c4:b.gz:1.5\nsteps = 1k ; x\n[x]\nlr = 3e-4\nmemory = 2G\ncbow\n'
    seed options mlm '\3--run\nr\n--steps=100\n--pack\n--lr\n1e-4\nword\n--\n--x'
    seed options vocab '\0--source\ntext:a\n--source=text:b\n--vocab-size\n8k\n--memory=1G'
    dict config "${names[@]/%/ = }"
    dict options "${names[@]/#/--}"

    seed vectors text '2 3\na 1 2 3\nb -1.5 2e-3 0\n'
    seed vectors binary '2 1\na \0\0\200\77\nb \0\0\0\100\n'
    seed questions analogies '\0: section\na b c the\nA B x y\n: two\n\n'
    seed questions pairs '\1# head\nword1 word2 SimLex999\na b 7.5\nb\tc\t1e1\n'

    seed safetensors two '\216\0\0\0\0\0\0\0{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[1,2],"data_offsets":[8,12]}}\0\0\200\77\0\0\0\100\200\77\0\100'
    dict safetensors '{"' '":' '"dtype"' '"shape"' '"data_offsets"' '"F16"' '__metadata__' '[0,' 18446744073709551615
    seed model_config small '{"model_type":"distilbert","activation":"gelu","vocab_size":9,"dim":8,"n_layers":1,"n_heads":2,"hidden_dim":8,"max_position_embeddings":8}'
}

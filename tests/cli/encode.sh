#!/bin/bash
# SPDX-License-Identifier: MIT
# encode and decode: lines in, lines out, whatever the vocabulary's file, the
# lines' length or the number of ranks; and what they say to bad lines.
set -eu
shardbert=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
. "$SB_SOURCE/tests/lib.sh"
cd "$tmp"

small_text >text.txt
"$shardbert" vocab --run run --source text:text.txt --vocab-size 800 --log error
vocab=$tmp/run/vocab/vocab.txt
enc() { "$shardbert" encode --vocab "$vocab" "$@"; }
dec() { "$shardbert" decode --vocab "$vocab"; }

# the same from either file, from the run folder, and on any number of ranks
enc <text.txt >ids
[ "$(wc -l <ids)" = "$(wc -l <text.txt)" ] || fail "another number of lines"
"$shardbert" encode --vocab run/vocab/tokenizer.json <text.txt | cmp - ids
"$shardbert" encode --run run <text.txt | cmp - ids
mpi 3 "$shardbert" encode --vocab "$vocab" <text.txt | cmp - ids
grep -q '##' <(enc --pieces <text.txt) || fail "no piece continues a word"

# there and back is the text in small letters, but for white space
letters() { tr -d ' \t' | tr '[:upper:]' '[:lower:]'; }
dec <ids | letters | cmp - <(letters <text.txt)

# lines of all lengths; the last one without its line feed
printf 'A\n\n \nthe end' | enc --pieces >few
printf 'a\n\n\nthe end\n' | cmp - few
printf 'the [MASK]' | enc --pieces --specials | grep -qx '\[CLS\] the \[MASK\] \[SEP\]'
long=$((16 << 20))
line() { head -c "$1" /dev/zero | tr '\0' "$2"; }
[ "$({ line $long ' '; echo; echo the; } | enc --pieces | tail -n 1)" = the ] ||
    fail "a long line is lost"

# a program that talks line by line gets each answer before its next question
coproc enc --pieces
for word in the license; do
    echo "$word" >&"${COPROC[1]}"
    read -r -t 20 answer <&"${COPROC[0]}" || fail "no answer to '$word'"
    [ "$answer" = "$word" ] || fail "'$answer' is the answer to '$word'"
done
eval "exec ${COPROC[1]}>&-"
wait "$COPROC_PID"

# nobody reading on is no failure
yes the | enc --pieces 2>errors | head -n 1 | grep -qx the
[ ! -s errors ] || fail "complains of a closed pipe: $(cat errors)"

bad_text() { printf 'good\nbad \377\n' | enc; }
too_long() { { echo; line $((long + 1)) a; } | enc; }
no_number() { printf '1 2\n3 4x\n' | dec; }
no_id() { printf '0 799\n5 800\n' | dec; }
no_small_id() { echo 18446744073709551617 | dec; }
no_disk() { enc <text.txt >/dev/full; }
no_input() { enc <"$tmp"; }
expect 3 'line 2 is not valid UTF-8: byte 5' bad_text
expect 3 'line 2 is longer than 16' too_long
expect 3 "line 2: '4x' is not a number" no_number
expect 3 'line 2: 800 is no id' no_id
expect 3 'line 1: 18446744073709551617 is no id' no_small_id
expect 3 'standard output: No space' no_disk
expect 3 'standard input: Is a directory' no_input
expect 3 "'none'" "$shardbert" encode --vocab none
hint 3 'shardbert vocab' "$shardbert" decode --run none
[ "$(printf '5\n800\n' | dec 2>/dev/null | wc -l)" = 1 ] ||
    fail "what came before the bad line is lost"
echo "encode and decode: ok"

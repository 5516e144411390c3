# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# What word2vec_speed.sh and word2vec_quality.sh share. Source it with $here (tests/bench) and $tmp (a folder) set,
# and with corpus, vocab and build.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 SB_PROGRESS_S=1000 LC_ALL=C

shardbert() { "$build/shardbert" "$@"; }

# Everybody's text: given, or what the corpus trains on. $tmp/text
make_text() {
    if [ -n "$text" ]; then
        ln -sf "$(realpath "$text")" "$tmp/text"
    else
        shardbert inspect "$corpus" --vocab "$vocab" --dump-text >"$tmp/text"
    fi
}

# find_programs WANTED: those that are here, ours first, into the array programs
find_programs() {
    local here_now name
    here_now=" ours $("$here/word2vec_peers.sh" list | tr '\n' ' ')"
    programs=()
    for name in $1; do
        case $here_now in
        *" $name "*) programs+=("$name") ;;
        *) echo "$name: skipped, it is not here" >&2 ;;
        esac
    done
}

# run_ours FOLDER [OPTION VALUE]...: train on the corpus, one rank. Its rate is that of the whole training, by the
# wall: from the first block to the last, with no checkpoint between. Vectors stay in FOLDER.
run_ours() {
    local dir=$1 options=()
    shift
    while [ $# -gt 0 ]; do
        case $1$2 in
        --cbow0) options+=(--word2vec-model skip-gram) ;;
        --cbow1) options+=(--word2vec-model cbow) ;;
        *) options+=("$1" "$2") ;;
        esac
        shift 2
    done
    rm -rf "$dir"
    shardbert word2vec --corpus "$corpus" --vocab "$vocab" --run "$dir" --checkpoint-minutes 0 "${options[@]}" \
        >"$tmp/ours.log" 2>&1 || { tail -n 5 "$tmp/ours.log" >&2; return 1; }
    awk '/ words, .* epochs/ { for (i = 2; i <= NF; i++) { if ($i == "words,") n = $(i - 1)
                                                           if ($i ~ /^epochs/) n *= $(i - 1) } }
         /^word2vec +done/ { for (i = 2; i <= NF; i++) if ($i == "words/s") rate = $(i - 1) }
         END { if (!rate) exit 1
               printf "ours %.2f %d %d\n", n / rate, n, rate }' "$tmp/ours.log"
}

# train PROGRAM OUT [OPTION VALUE]...: "PROGRAM seconds words words/s"; ours makes a folder of OUT, the others a file
train() {
    local program=$1 out=$2
    shift 2
    rm -rf "$out"
    case $program in
    ours) run_ours "$out" "$@" ;;
    *) "$here/word2vec_peers.sh" run "$program" "$tmp/text" "$out" "$@" ;;
    esac
}

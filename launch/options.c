/* SPDX-License-Identifier: MIT
 * options.c - the table. */
#include "launch/options.h"

#include <stdint.h>

enum {
    VOCAB = SB_PHASE_VOCAB,
    INGEST = SB_PHASE_INGEST,
    W2V = SB_PHASE_WORD2VEC,
    MLM = SB_PHASE_MLM,
    FILL = SB_PHASE_FILL,
    NEAR = SB_PHASE_NEIGHBOURS,
    LOOK = SB_PHASE_INSPECT,
    ENCODE = SB_PHASE_ENCODE,
    DECODE = SB_PHASE_DECODE,
    EVAL = SB_PHASE_EVAL,
    SHOW = SB_PHASE_SHOW_BATCH,
    EXPORT = SB_PHASE_EXPORT,
    TRIM = SB_PHASE_TRIM,
    REPORT = SB_PHASE_REPORT,
    TRAIN = W2V | MLM,
    BATCH = MLM | SHOW,
    ALL = VOCAB | INGEST | TRAIN | FILL | NEAR | LOOK | ENCODE | DECODE | EVAL |
          SHOW | EXPORT | TRIM | REPORT
};

#define BIG 9007199254740992.0 /* 2^53 */

#define TEXT(name, phases, def, value, help)                                   \
    {                                                                          \
        name, SB_OPT_TEXT, phases, def, 0, 0, NULL, value, help                \
    }
#define INT(name, phases, def, min, max, help)                                 \
    {                                                                          \
        name, SB_OPT_INT, phases, def, min, max, NULL, "N", help               \
    }
#define SIZE(name, phases, def, min, help)                                     \
    {                                                                          \
        name, SB_OPT_SIZE, phases, def, min, BIG, NULL, "BYTES", help          \
    }
#define REAL(name, phases, def, min, max, help)                                \
    {                                                                          \
        name, SB_OPT_REAL, phases, def, min, max, NULL, "X", help              \
    }
#define BOOL(name, phases, def, help)                                          \
    {                                                                          \
        name, SB_OPT_BOOL, phases, def, 0, 0, NULL, "BOOL", help               \
    }
#define CHOICE(name, phases, def, choices, help)                               \
    {                                                                          \
        name, SB_OPT_CHOICE, phases, def, 0, 0, choices, "WHICH", help         \
    }
#define LIST(name, phases, value, help)                                        \
    {                                                                          \
        name, SB_OPT_LIST, phases, NULL, 0, 0, NULL, value, help               \
    }

const sb_option sb_options[] = {
    TEXT("config", ALL, NULL, "FILE", "recipe: a file of 'name = value' lines"),
    TEXT("run", ALL, "run", "DIR", "run folder: everything is kept in it"),
    TEXT("vocab", ALL & ~VOCAB, NULL, "FILE",
         "vocab.txt or tokenizer.json (default: the run's)"),
    TEXT("corpus", INGEST | TRAIN | SHOW | EXPORT | TRIM | EVAL, NULL, "DIR",
         "corpus (default: the run's)"),
    INT("seed", TRAIN | SHOW, "1", 0, BIG,
        "names all random numbers of the run"),
    INT("threads", TRAIN | EVAL, "1", 1, 1024, "threads per rank"),
    REAL("max-hours", SB_PHASES_LONG, "0", 0, 1e6,
         "time after which to stop as on SIGTERM, in a state to go on from and "
         "with exit code 75, 0: none"),
    CHOICE("log", ALL, "info", "error|warn|info|debug", "how much is said"),
    REAL("stall-minutes", SB_PHASE_WATCHED, "10", 0, 1e6,
         "end the run if a rank is silent or does not move for so long, 0: "
         "never"),

    LIST("source", VOCAB | INGEST | TRIM, "KIND:GLOB[:WEIGHT]",
         "text to read, may be given again; KIND is text, c4, msmarco, news, "
         "wikipedia, s2orc, jsonl or tsv"),
    CHOICE("documents", VOCAB | INGEST | TRIM, "line", "line|paragraph|file",
           "what makes a document of plain text"),
    TEXT("text-field", VOCAB | INGEST | TRIM, "text", "A.B.C",
         "where the text stands in a line of jsonl"),
    INT("column", VOCAB | INGEST | TRIM, "1", 1, 1e6,
        "where the text stands in a line of tsv"),
    REAL("max-bad", VOCAB | INGEST | TRIM, "0.01", 0, 1,
         "largest share of a source's records that may be unreadable"),
    REAL("max-ratio", VOCAB | INGEST | TRIM, "200", 1, 1e9,
         "a file that unpacks to more than 1 GiB and more times its size than "
         "this is a bomb"),
    BOOL("drop-duplicates", INGEST, "false",
         "leave out documents that equal an earlier one (read twice for it)"),
    INT("vocab-size", VOCAB, "256000", 6, 16e6, "pieces of the vocabulary"),
    INT("alphabet-limit", VOCAB, "1000", 1, 1e6, "most letters kept"),
    INT("min-count", VOCAB, "2", 1, BIG, "rarer pairs are not merged"),
    SIZE("memory", VOCAB | INGEST, "4G", 64 << 20,
         "what a rank may take; rare words are left out if it is not enough"),
    REAL("held-out", INGEST, "0.005", 0, 0.5,
         "share of documents kept for evaluation, chosen by their hash"),
    INT("block-tokens", INGEST, "32768", 1024, 1048576,
        "tokens after which a block of a shard is full"),

    CHOICE("word2vec-model", W2V, "cbow", "skip-gram|cbow", "which word2vec"),
    INT("dim", TRAIN, "768", 8, 65536, "width of the embeddings and the model"),
    INT("window", W2V, "5", 1, 1000, "largest distance of context words"),
    INT("negative", W2V, "5", 1, 63, "negative samples per positive one"),
    INT("epochs", W2V, "3", 1, 1e6, "passes over the corpus"),
    REAL("alpha", W2V, "0.025", 0, 10, "learning rate at the start"),
    REAL("min-alpha", W2V, "0.0001", 0, 10, "learning rate at the end"),
    REAL("subsample", W2V, "0.001", 0, 1,
         "threshold of frequency above which words are thinned, 0: none"),
    REAL("noise-power", W2V, "0.75", 0, 2, "of counts, for negative samples"),
    INT("ranks-per-replica", W2V, "0", 0, 1e6,
        "ranks of a node that share the tables, 0: all; 1: repeatable"),
    INT("sync-words", W2V, "8192", 1, BIG,
        "words a copy of the tables trains between two exchanges"),
    INT("sync-hot", W2V, "4096", 0, 1e9,
        "frequent rows that take part in every exchange"),
    INT("sync-cycle", W2V, "8", 1, 1e6,
        "exchanges until every other row took part"),
    CHOICE("combine", W2V, "damped", "sum|average|weighted|project|damped",
           "how several copies' changes of a row become one"),
    INT("evaluations", W2V, "0", 0, 1e6,
        "times in a run that the 30000 most frequent pieces are judged by "
        "--analogies and --similarity, the last at the end"),

    INT("layers", MLM, "6", 1, 1000, "transformer layers"),
    INT("heads", MLM, "12", 1, 65536, "attention heads"),
    INT("ffn", MLM, "3072", 1, 1e6, "width of the feed-forward layers"),
    INT("positions", MLM, "512", 3, 65536, "position embeddings"),
    INT("max-length", BATCH, "512", 3, 65536, "tokens a sample is cut to"),
    INT("max-chars", BATCH, "0", 0, 1e9,
        "characters a document is cut to, by the lengths of its pieces, 0: not "
        "cut"),
    BOOL("pack", BATCH, "false",
         "fill samples with documents, [SEP] between them, which may be cut"),
    INT("batch", BATCH, "64", 1, 1e6, "sequences in the global batch"),
    INT("slots", MLM, "16", 1, 1e6,
        "fixed parts of the batch; at least as many as ranks"),
    INT("micro-batch", MLM, "0", 0, 1e6,
        "sequences whose activations a rank keeps, 0: what fits; changes no "
        "bit"),
    SIZE("memory-limit", MLM, "0", 0,
         "memory a rank may take, 0: its part of what the host has free"),
    INT("vocab-block", MLM, "8000", 1, 1e6, "rows of a vocabulary block"),
    CHOICE("precision", MLM, "fp32", "fp32|bf16|bf16-emulated",
           "what linear layers multiply: floats; rounded to bf16 (needs oneDNN "
           "and AVX-512); that without both, slowly, to try it"),
    CHOICE("reduce", MLM, "exact", "exact|fast",
           "sums across ranks: the same bits for any number of them, or MPI's"),
    INT("head-group", MLM, "512", 1, 1e6, "masked positions scored at once"),
    INT("steps", BATCH, "250000", 1, BIG, "updates in all"),
    REAL("lr", MLM, "5e-5", 0, 10, "largest learning rate"),
    INT("warmup", MLM, "0", 0, BIG, "steps of linear warm-up"),
    CHOICE("schedule", MLM, "linear", "linear|constant|cosine",
           "the learning rate behind the warm-up: falls to 0, stays, or falls "
           "to 0 along half a cosine"),
    BOOL("lr-find", MLM, "false",
         "do not train: print losses while the learning rate rises, and "
         "suggest one"),
    INT("lr-find-steps", MLM, "100", 24, 1e6, "steps of that"),
    REAL("weight-decay", MLM, "0", 0, 10,
         "decoupled, not for biases and norms"),
    REAL("beta1", MLM, "0.9", 0, 0.999999, "Adam"),
    REAL("beta2", MLM, "0.999", 0, 0.999999, "Adam"),
    REAL("adam-eps", MLM, "1e-8", 1e-30, 1, "Adam"),
    REAL("clip", MLM, "0", 0, 1e30, "largest gradient norm, 0: no clipping"),
    REAL("spike-deviations", MLM, "6", 0, 1e6,
         "training diverges if the loss is this many deviations above its "
         "running mean, 0: only if it is no number"),
    CHOICE("on-divergence", MLM, "stop", "stop|skip",
           "stop with advice, or leave the batch out and warn (10 at most)"),
    REAL("mask-prob", BATCH, "0.15", 0.001, 0.999, "share of tokens masked"),
    BOOL("whole-word", BATCH, "false", "mask all pieces of a word, or none"),
    REAL("dropout", MLM, "0.1", 0, 0.9, "on embeddings and feed-forward"),
    REAL("attention-dropout", MLM, "0.1", 0, 0.9, "on attention weights"),
    TEXT("init", MLM, "word2vec", "WHERE",
         "first weights: token rows of the run's word2vec, of another word2vec "
         "folder DIR, or of word2vec:FILE (also of fastText); hf:DIR, a whole "
         "model of Hugging Face's; or none, chance"),
    REAL("init-scale", MLM, "0.02", 0, 100,
         "deviation word2vec rows are scaled to, 0: as they are"),
    REAL("init-range", MLM, "0.02", 0, 10, "deviation of random weights"),
    BOOL("unigram-bias", MLM, "true",
         "start the output bias at log unigram probability"),
    BOOL("freeze-table", MLM, "false", "do not train the token table"),
    INT("stop-at", MLM, "0", 0, BIG,
        "leave after this step, with a checkpoint"),
    INT("eval-every", MLM, "1000", 0, BIG,
        "steps between evaluations, 0: none"),
    INT("eval-samples", MLM | EVAL, "1000", 1, BIG,
        "held-out documents evaluated"),
    INT("checkpoint-every", MLM, "1000", 0, BIG,
        "steps between checkpoints, 0: none for that"),
    REAL("checkpoint-minutes", TRAIN, "15", 0, 1e6,
         "time from one checkpoint to the next, 0: none for that"),
    TEXT("local-dir", TRAIN, NULL, "DIR",
         "a folder on each host's own disk, for checkpoints in between"),
    REAL("local-minutes", TRAIN, "2", 0, 1e6,
         "time from a checkpoint to the next one there"),
    INT("keep", TRAIN, "2", 0, 1e6, "newest checkpoints kept, 0: all"),
    INT("keep-every", MLM, "0", 0, BIG,
        "steps between checkpoints that are never removed, 0: none"),
    BOOL("tensorboard", TRAIN, "true",
         "write an event file for TensorBoard beside metrics.jsonl"),

    INT("step", SHOW, "0", 0, BIG, "which batch, from 0"),
    INT("samples", SHOW, "0", 0, 1e6, "show so many of them only, 0: all"),
    BOOL("ids", SHOW, "false",
         "ids alone: number, ids, masked places, true ids there; tabs between"),
    BOOL("pieces", ENCODE, "false", "write pieces, not their ids"),
    BOOL("specials", ENCODE, "false",
         "[CLS] and [SEP] around lines, [MASK] in text is one"),
    INT("top", FILL | NEAR, "5", 1, 1000, "how many answers"),
    INT("sample", LOOK, "0", 0, 1e6,
        "documents of a corpus to print, as text and as pieces"),
    BOOL("dump-text", LOOK, "false",
         "write the text a corpus trains on: a sentence a line, pieces between "
         "blanks; sources' weights play no part"),
    BOOL("hash", LOOK, "false", "one hash over all tensors of a checkpoint"),
    BOOL("verify", LOOK, "false",
         "read everything, every checkpoint of a phase, and say what is whole; "
         "exit code 3 if something is damaged"),
    TEXT("html", REPORT, NULL, "FILE",
         "the page (default: report.html in the run folder)"),
    TEXT("words", REPORT, NULL, "WORD[,WORD]",
         "whose nearest words are shown (default: some of all frequencies)"),
    CHOICE("format", EXPORT, "hf", "hf|word2vec",
           "a folder for Hugging Face's programs, or a file of word vectors"),
    TEXT("checkpoint", EXPORT | TRIM | EVAL, NULL, "DIR",
         "a checkpoint, or a folder of them (default: the run's mlm; of export "
         "--format word2vec: its word2vec)"),
    BOOL("force", EXPORT, "false", "replace an earlier export"),
    CHOICE("matrix", EXPORT, "input", "input|output",
           "which of word2vec's two vectors of a word"),
    BOOL("binary", EXPORT, "false",
         "word vectors as binary floats, not as text"),
    TEXT("analogies", W2V | EVAL, NULL, "FILE",
         "questions to answer: ': section' lines, four words a line"),
    LIST("similarity", W2V | EVAL, "FILE[,FILE]",
         "pairs of words and scores to compare with, may be given again"),
    TEXT("vectors", EVAL, NULL, "FILE",
         "word2vec's format, text or binary (default: the run's word2vec)"),
    BOOL("mlm", EVAL, "false",
         "judge the model: loss, perplexity and accuracy on held-out text, by "
         "source and by frequency"),
    TEXT("sentences", EVAL, NULL, "FILE",
         "judge the model by sentences, one a line: their pseudo-perplexity"),
    INT("restrict", EVAL, "0", 0, BIG,
        "look at the most frequent words only, 0: at all"),
};
const size_t sb_options_n = sizeof sb_options / sizeof sb_options[0];

/* SPDX-License-Identifier: MIT
 * made_ingest.h - files made on the spot become shards, which are read back;
 * shared by the tests of dataset/ingest.h. A piece is one letter, a to j: every
 * other word is unknown. */
#ifndef SB_TESTS_MADE_INGEST_H
#define SB_TESTS_MADE_INGEST_H

#include "dataset/ingest.h"
#include "dataset/tokenize.h"
#include "tests/unit/made_source.h"

static sb_vocab *vocab;
static char corpus[96];
static sb_sources *sources; /* of the test; up_sources opens them */
static int documents_left;  /* until the stop is asked for */

static int up(void **state)
{
    static const char pieces[] =
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
    strcpy(folder, "/tmp/sb-ingest-XXXXXX");
    if (set_up(state)) return -1;
    snprintf(corpus, sizeof corpus, "%s/corpus", folder);
    documents_left = -1;
    return sb_dir_make(corpus) != SB_OK ||
           sb_vocab_parse(pieces, sizeof pieces - 1, "made", &vocab) != SB_OK;
}

static int down(void **state)
{
    sb_sources_close(sources);
    sources = NULL;
    sb_vocab_close(vocab);
    return tear_down(state);
}

/* All *.txt, in units of so many bytes. */
static inline void up_sources(sb_documents documents, uint64_t unit)
{
    sb_sources_close(sources);
    how.documents = documents;
    assert_int_equal(open_kind("text", "*.txt", unit, &sources), SB_OK);
}

static inline void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

/* ---- ingesting ----------------------------------------------------------- */

static inline void ignore(void *arg, uint64_t bytes, uint64_t text_bytes,
                          uint64_t documents)
{
    (void)arg, (void)bytes, (void)text_bytes, (void)documents;
}

static inline int stop(void)
{
    return documents_left >= 0 && documents_left-- == 0;
}

static inline sb_ingest_options usual(void)
{
    return (sb_ingest_options){.dir = corpus,
                               .sources = sources,
                               .vocab = vocab,
                               .block_tokens = 1024,
                               .progress = ignore,
                               .stop = stop};
}

static inline sb_ingest *open_ingest(sb_ingest_options o)
{
    sb_ingest *g;
    assert_int_equal(sb_ingest_open(&o, &g), SB_OK);
    return g;
}

/* Every unit. *stats: their sums. */
static inline void ingest_all(sb_ingest_options o, sb_source_stats *sum)
{
    sb_ingest *g = open_ingest(o);
    memset(sum, 0, sizeof *sum);
    for (size_t u = 0; u < sb_sources_units(sources); u++) {
        sb_source_stats s;
        int done;
        assert_int_equal(sb_ingest_unit(g, u), SB_OK);
        assert_int_equal(sb_ingest_done(g, u, &done, &s), SB_OK);
        assert_true(done);
        sum->documents += s.documents;
        sum->heldout += s.heldout;
        sum->text_bytes += s.text_bytes;
        sum->tokens += s.tokens;
        sum->unknown += s.unknown;
        sum->dropped += s.dropped;
        sum->skipped += s.skipped;
        if (!sum->bad)
            memcpy(sum->first_bad, s.first_bad, sizeof sum->first_bad);
        sum->bad += s.bad;
        for (int i = 0; i < SB_LENGTHS; i++) sum->length[i] += s.length[i];
    }
    sb_ingest_close(g);
}

/* ---- reading back -------------------------------------------------------- */

static inline char *shard_of(const char *dir, sb_split split, size_t unit)
{
    char name[32];
    sb_shard_name(split, unit, name);
    return sb_path_join(dir, name);
}

/* What a split holds. */
typedef struct content {
    sb_ids ids;
    sb_buffer text; /* "a b/c|d|": '/' ends a sentence, '|' a document */
    uint64_t shards, blocks, sentences, documents;
} content;

static inline void add_text(sb_buffer *to, const char *text)
{
    assert_int_equal(sb_buffer_add(to, text, strlen(text)), SB_OK);
}

static inline void add_block(content *c, const sb_block *b)
{
    sb_ids *ids = &c->ids;
    assert_int_equal(sb_grow(&ids->id, &ids->cap, ids->n + b->tokens,
                             sizeof *ids->id, "ids"),
                     SB_OK);
    memcpy(ids->id + ids->n, b->ids, b->tokens * sizeof *b->ids);
    ids->n += b->tokens;
    sb_sentence s = sb_sentence_start(b);
    for (uint32_t i = 0; i < b->sentences; i++) {
        sb_sentence_next(&s);
        for (uint32_t t = s.begin; t < s.end; t++) {
            if (t > s.begin) add_text(&c->text, " ");
            add_text(&c->text, sb_vocab_piece(vocab, b->ids[t]));
        }
        add_text(&c->text, s.last ? "|" : "/");
    }
    c->blocks++;
    c->sentences += b->sentences;
    c->documents += b->documents;
}

/* A split of a unit; a shard that is not there holds nothing. */
static inline void add_shard(content *c, sb_split split, size_t unit)
{
    char *path = shard_of(corpus, split, unit);
    if (sb_file_exists(path)) {
        sb_shard_reader *r;
        assert_int_equal(sb_shard_open(path, 0, &r), SB_OK);
        assert_int_equal(sb_shard_get_info(r)->vocab_hash,
                         sb_vocab_hash(vocab));
        for (uint64_t i = 0; i < sb_shard_get_info(r)->blocks; i++) {
            sb_block b;
            assert_int_equal(sb_shard_read(r, i, &b), SB_OK);
            add_block(c, &b);
        }
        c->shards++;
        sb_shard_close(r);
    }
    sb_free(path);
}

static inline content read_split(sb_split split)
{
    content c = {0};
    for (size_t u = 0; u < sb_sources_units(sources); u++)
        add_shard(&c, split, u);
    assert_int_equal(sb_buffer_add(&c.text, "", 1), SB_OK);
    return c;
}

static inline void free_content(content *c)
{
    sb_free(c->ids.id);
    sb_free(c->text.data);
}

static inline void expect_split(sb_split split, const char *text)
{
    content c = read_split(split);
    assert_string_equal(c.text.data, text);
    free_content(&c);
}

#endif

/* SPDX-License-Identifier: MIT
 * corpus.c - the manifest, and a split's shards as one row of blocks and
 * documents.
 *
 * Invariants: prefix sums start at 0 and end at the totals; nothing from
 * corpus.json is used before it has been checked; a name becomes a path only
 * if it is plain. A shard's own summary must say what the manifest says.
 */
#include "dataset/corpus.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"

#define MANIFEST_NAME   "corpus.json"
#define MANIFEST_FORMAT "shardbert-corpus"
enum { MANIFEST_VERSION = 1, MANIFEST_BYTES_MAX = 64 << 20 };

static const char *const split_name[] = {"train", "heldout"};

void sb_shard_name(sb_split split, size_t unit, char name_out[32])
{
    snprintf(name_out, 32, "%s-%05zu.mdb", split_name[split], unit);
}

static int plain_name(const char *s)
{
    size_t n = strlen(s);
    if (n == 0 || n >= sizeof((sb_shard_entry *)0)->name || s[0] == '.')
        return 0;
    return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                     "0123456789._-") == n;
}

/* ---- writing the manifest ------------------------------------------------ */

static int put_u64(json_t *o, const char *key, uint64_t v)
{
    if (v > INT64_MAX) return -1;
    return json_object_set_new(o, key, json_integer((json_int_t)v));
}

/* Hashes use all 64 bits, JSON's integers do not: sixteen hexadecimal digits.
 */
static int put_hex(json_t *o, const char *key, uint64_t v)
{
    char text[20];
    snprintf(text, sizeof text, "%016" PRIx64, v);
    return json_object_set_new(o, key, json_string(text));
}

static json_t *entry_json(const sb_shard_entry *e)
{
    json_t *o = json_object();
    int bad =
        !o || json_object_set_new(o, "name", json_string(e->name)) ||
        json_object_set_new(o, "split", json_string(split_name[e->split])) ||
        put_u64(o, "bytes", e->bytes) || put_u64(o, "blocks", e->info.blocks) ||
        put_u64(o, "tokens", e->info.tokens) ||
        put_u64(o, "sentences", e->info.sentences) ||
        put_u64(o, "documents", e->info.documents);
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

static json_t *manifest_json(const sb_manifest *m)
{
    json_t *o = json_object(), *shards = json_array();
    int bad = !o || !shards;
    for (size_t i = 0; i < m->shards && !bad; i++)
        bad = json_array_append_new(shards, entry_json(&m->shard[i]));
    bad = bad ||
          json_object_set_new(o, "format", json_string(MANIFEST_FORMAT)) ||
          put_u64(o, "version", MANIFEST_VERSION) ||
          put_u64(o, "vocab_size", m->vocab_size) ||
          put_hex(o, "vocab_hash", m->vocab_hash) ||
          put_hex(o, "input_identity", m->input_identity) ||
          put_u64(o, "text_bytes", m->text_bytes) ||
          put_u64(o, "bad_documents", m->bad_documents) ||
          json_object_set_new(o, "config", json_string(m->config)) ||
          json_object_set(o, "shards", shards);
    json_decref(shards);
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

sb_status sb_manifest_write(const char *dir, const sb_manifest *m)
{
    for (size_t i = 0; i < m->shards; i++) {
        const sb_shard_entry *e = &m->shard[i];
        SB_REQUIRE(memchr(e->name, 0, sizeof e->name) && plain_name(e->name),
                   SB_EBUG, "shard %zu has no plain name", i);
        SB_REQUIRE(e->info.vocab_size == m->vocab_size &&
                       e->info.vocab_hash == m->vocab_hash,
                   SB_EBUG, "shard '%s' was made with another vocabulary",
                   e->name);
    }
    json_t *o = manifest_json(m);
    SB_REQUIRE(o, SB_EINVAL,
               "the corpus in '%s' cannot be described: its "
               "configuration is not UTF-8, or memory ran out",
               dir);
    char *text = json_dumps(o, JSON_INDENT(1));
    json_decref(o);
    SB_REQUIRE(text, SB_ENOMEM, "out of memory: the manifest of '%s'", dir);
    char *path = sb_path_join(dir, MANIFEST_NAME);
    sb_status st =
        path ? sb_file_write(path, text, strlen(text))
             : sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    free(text);
    sb_free(path);
    return st == SB_OK ? sb_dir_sync(dir) : st;
}

/* ---- reading it ---------------------------------------------------------- */

static sb_status get_u64(const json_t *o, const char *key, uint64_t *v_out)
{
    const json_t *v = json_object_get(o, key);
    SB_REQUIRE(json_is_integer(v) && json_integer_value(v) >= 0, SB_EFORMAT,
               "%s: '%s' is not a count", MANIFEST_NAME, key);
    *v_out = (uint64_t)json_integer_value(v);
    return SB_OK;
}

static sb_status get_text(const json_t *o, const char *key, char *text_out,
                          size_t room)
{
    const json_t *v = json_object_get(o, key);
    SB_REQUIRE(json_is_string(v) && json_string_length(v) < room &&
                   strlen(json_string_value(v)) == json_string_length(v),
               SB_EFORMAT, "%s: '%s' is not a text of at most %zu bytes",
               MANIFEST_NAME, key, room - 1);
    memcpy(text_out, json_string_value(v), json_string_length(v) + 1);
    return SB_OK;
}

static sb_status get_hex(const json_t *o, const char *key, uint64_t *v_out)
{
    char text[17];
    SB_TRY(get_text(o, key, text, sizeof text));
    SB_REQUIRE(strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16,
               SB_EFORMAT, "%s: '%s' is not sixteen hexadecimal digits",
               MANIFEST_NAME, key);
    *v_out = strtoull(text, NULL, 16);
    return SB_OK;
}

static sb_status parse_entry(const json_t *o, const sb_manifest *m,
                             sb_shard_entry *e)
{
    SB_REQUIRE(json_is_object(o), SB_EFORMAT, "%s: a shard is not an object",
               MANIFEST_NAME);
    SB_TRY(get_text(o, "name", e->name, sizeof e->name));
    SB_REQUIRE(plain_name(e->name), SB_EFORMAT,
               "%s: '%s' is not the name of a shard", MANIFEST_NAME, e->name);
    char split[16];
    SB_TRY(get_text(o, "split", split, sizeof split));
    SB_REQUIRE(strcmp(split, split_name[SB_TRAIN]) == 0 ||
                   strcmp(split, split_name[SB_HELDOUT]) == 0,
               SB_EFORMAT, "%s: shard '%s' is of an unknown split",
               MANIFEST_NAME, e->name);
    e->split = strcmp(split, split_name[SB_TRAIN]) ? SB_HELDOUT : SB_TRAIN;
    SB_TRY(get_u64(o, "bytes", &e->bytes));
    SB_TRY(get_u64(o, "blocks", &e->info.blocks));
    SB_TRY(get_u64(o, "tokens", &e->info.tokens));
    SB_TRY(get_u64(o, "sentences", &e->info.sentences));
    SB_TRY(get_u64(o, "documents", &e->info.documents));
    SB_REQUIRE(e->bytes > 0, SB_EFORMAT, "%s: shard '%s' is empty",
               MANIFEST_NAME, e->name);
    e->info.vocab_size = m->vocab_size;
    e->info.vocab_hash = m->vocab_hash;
    return SB_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* LMDB does not allow one file to be opened twice. */
static sb_status check_doubles(const sb_manifest *m)
{
    const char **name;
    SB_TRY(sb_alloc(m->shards, sizeof *name, "shard names", &name));
    for (size_t i = 0; i < m->shards; i++) name[i] = m->shard[i].name;
    qsort(name, m->shards, sizeof *name, by_name);
    sb_status st = SB_OK;
    for (size_t i = 1; i < m->shards && st == SB_OK; i++)
        if (strcmp(name[i - 1], name[i]) == 0)
            st = sb_fail(SB_EFORMAT, __FILE__, __LINE__,
                         "%s: shard '%s' is named twice", MANIFEST_NAME,
                         name[i]);
    sb_free(name);
    return st;
}

static sb_status parse(const json_t *o, sb_manifest *m)
{
    char format[32];
    uint64_t version;
    SB_REQUIRE(json_is_object(o), SB_EFORMAT, "%s is not an object",
               MANIFEST_NAME);
    SB_TRY(get_text(o, "format", format, sizeof format));
    SB_REQUIRE(strcmp(format, MANIFEST_FORMAT) == 0, SB_EFORMAT,
               "%s: not a manifest of ours", MANIFEST_NAME);
    SB_TRY(get_u64(o, "version", &version));
    SB_REQUIRE(version == MANIFEST_VERSION, SB_EVERSION,
               "%s is of version %" PRIu64 ", this program reads %d",
               MANIFEST_NAME, version, MANIFEST_VERSION);
    SB_TRY(get_u64(o, "vocab_size", &m->vocab_size));
    SB_REQUIRE(m->vocab_size > 0 && m->vocab_size <= UINT32_MAX, SB_EFORMAT,
               "%s: no vocabulary has %" PRIu64 " pieces", MANIFEST_NAME,
               m->vocab_size);
    SB_TRY(get_hex(o, "vocab_hash", &m->vocab_hash));
    SB_TRY(get_hex(o, "input_identity", &m->input_identity));
    SB_TRY(get_u64(o, "text_bytes", &m->text_bytes));
    SB_TRY(get_u64(o, "bad_documents", &m->bad_documents));
    SB_TRY(get_text(o, "config", m->config, sizeof m->config));
    const json_t *shards = json_object_get(o, "shards");
    SB_REQUIRE(json_is_array(shards), SB_EFORMAT, "%s: 'shards' is not a list",
               MANIFEST_NAME);
    m->shards = json_array_size(shards);
    SB_TRY(sb_alloc(m->shards, sizeof *m->shard, "shard list", &m->shard));
    for (size_t i = 0; i < m->shards; i++)
        SB_TRY(parse_entry(json_array_get(shards, i), m, &m->shard[i]));
    return check_doubles(m);
}

sb_status sb_manifest_read(const char *dir, sb_manifest *m_out)
{
    char *path = sb_path_join(dir, MANIFEST_NAME), *text = NULL;
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    size_t bytes;
    sb_manifest *m = NULL; /* large: not on the stack */
    json_t *o = NULL;
    sb_status st = sb_alloc(1, sizeof *m, "manifest", &m);
    if (st == SB_OK) st = sb_file_read(path, MANIFEST_BYTES_MAX, &text, &bytes);
    if (st != SB_OK) goto out;
    json_error_t e;
    o = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &e);
    st = o ? parse(o, m)
           : sb_fail(SB_EFORMAT, __FILE__, __LINE__, "'%s', line %d: %s", path,
                     e.line, e.text);
    if (st == SB_OK) {
        *m_out = *m;
        m->shard = NULL;
    }
out:
    json_decref(o);
    if (m) sb_free(m->shard);
    sb_free(m);
    sb_free(text);
    sb_free(path);
    return st;
}

/* ---- the corpus ---------------------------------------------------------- */

struct sb_corpus {
    sb_shard_reader **shard; /* [shards] */
    size_t shards;
    uint64_t *shard_block; /* [shards + 1] first block of each */
    uint64_t *block_doc;   /* [blocks + 1] first document of each */
    uint64_t *counts;      /* [vocab size] */
    sb_shard_info total;
};

/* One open file per shard: ask for as many as we may have. */
static void room_for_files(size_t n)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur >= n + 256) return;
    l.rlim_cur = l.rlim_max < n + 256 ? l.rlim_max : n + 256;
    (void)setrlimit(RLIMIT_NOFILE, &l);
}

static sb_status open_shard(sb_corpus *c, const char *dir,
                            const sb_shard_entry *e)
{
    char *path = sb_path_join(dir, e->name);
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    sb_shard_reader *r;
    sb_status st = sb_shard_open(path, e->bytes, &r);
    sb_free(path);
    SB_TRY(st);
    c->shard[c->shards++] = r;
    SB_REQUIRE(memcmp(sb_shard_get_info(r), &e->info, sizeof e->info) == 0,
               SB_EFORMAT, "shard '%s/%s' is not the one %s describes", dir,
               e->name, MANIFEST_NAME);
    c->total.blocks += e->info.blocks;
    c->total.tokens += e->info.tokens;
    c->total.sentences += e->info.sentences;
    c->total.documents += e->info.documents;
    return SB_OK;
}

static sb_status number_through(sb_corpus *c)
{
    SB_TRY(sb_alloc(c->shards + 1, sizeof *c->shard_block, "shard list",
                    &c->shard_block));
    SB_TRY(sb_alloc((size_t)c->total.blocks + 1, sizeof *c->block_doc,
                    "block list", &c->block_doc));
    SB_TRY(sb_alloc((size_t)c->total.vocab_size, sizeof *c->counts,
                    "piece counts", &c->counts));
    uint64_t block = 0;
    for (size_t s = 0; s < c->shards; s++) {
        const sb_block_index *n = sb_shard_index(c->shard[s]);
        SB_TRY(sb_shard_add_counts(c->shard[s], c->counts));
        uint64_t blocks = sb_shard_get_info(c->shard[s])->blocks;
        for (uint64_t i = 0; i < blocks; i++, block++)
            c->block_doc[block + 1] = c->block_doc[block] + n[i].documents;
        c->shard_block[s + 1] = block;
    }
    return SB_OK;
}

static sb_status open_split(sb_corpus *c, const char *dir, sb_split split,
                            const sb_manifest *m)
{
    room_for_files(m->shards);
    c->total.vocab_size = m->vocab_size;
    c->total.vocab_hash = m->vocab_hash;
    SB_TRY(sb_alloc(m->shards, sizeof *c->shard, "shard list", &c->shard));
    for (size_t i = 0; i < m->shards; i++)
        if (m->shard[i].split == split)
            SB_TRY(open_shard(c, dir, &m->shard[i]));
    SB_REQUIRE(c->total.documents > 0, SB_EINVAL,
               "corpus '%s' has no document to %s", dir,
               split == SB_TRAIN ? "train with" : "evaluate with");
    return number_through(c);
}

sb_status sb_corpus_open(const char *dir, sb_split split,
                         sb_corpus **corpus_out)
{
    sb_manifest *m;
    SB_TRY(sb_alloc(1, sizeof *m, "manifest", &m));
    sb_corpus *c = NULL;
    sb_status st = sb_manifest_read(dir, m);
    if (st == SB_OK) st = sb_alloc(1, sizeof *c, "corpus", &c);
    if (st == SB_OK) st = open_split(c, dir, split, m);
    sb_free(m->shard);
    sb_free(m);
    if (st != SB_OK) {
        sb_corpus_close(c);
        return st;
    }
    *corpus_out = c;
    return SB_OK;
}

void sb_corpus_close(sb_corpus *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->shards; i++) sb_shard_close(c->shard[i]);
    sb_free(c->shard);
    sb_free(c->shard_block);
    sb_free(c->block_doc);
    sb_free(c->counts);
    sb_free(c);
}

uint64_t sb_corpus_vocab_size(const sb_corpus *c)
{
    return c->total.vocab_size;
}

uint64_t sb_corpus_vocab_hash(const sb_corpus *c)
{
    return c->total.vocab_hash;
}

uint64_t sb_corpus_tokens(const sb_corpus *c)
{
    return c->total.tokens;
}

uint64_t sb_corpus_documents(const sb_corpus *c)
{
    return c->total.documents;
}

uint64_t sb_corpus_blocks(const sb_corpus *c)
{
    return c->total.blocks;
}

const uint64_t *sb_corpus_counts(const sb_corpus *c)
{
    return c->counts;
}

/* The k with first[k] <= i < first[k + 1]; first[0] == 0, i < first[n]. */
static size_t find(const uint64_t *first, size_t n, uint64_t i)
{
    size_t lo = 0, hi = n;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (first[mid] <= i)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

sb_status sb_corpus_block(sb_corpus *c, uint64_t i, sb_block *block_out)
{
    SB_REQUIRE(i < c->total.blocks, SB_EINVAL,
               "the corpus has %" PRIu64 " blocks, no block %" PRIu64,
               c->total.blocks, i);
    size_t s = find(c->shard_block, c->shards, i);
    return sb_shard_read(c->shard[s], i - c->shard_block[s], block_out);
}

uint32_t sb_corpus_block_tokens(const sb_corpus *c, uint64_t i)
{
    size_t s = find(c->shard_block, c->shards, i);
    return sb_shard_index(c->shard[s])[i - c->shard_block[s]].tokens;
}

sb_status sb_corpus_document(sb_corpus *c, uint64_t i, const uint32_t **ids_out,
                             uint32_t *n_out)
{
    SB_REQUIRE(i < c->total.documents, SB_EINVAL,
               "the corpus has %" PRIu64 " documents, no document %" PRIu64,
               c->total.documents, i);
    size_t k = find(c->block_doc, (size_t)c->total.blocks, i);
    sb_block b;
    SB_TRY(sb_corpus_block(c, k, &b));
    uint64_t d = i - c->block_doc[k];
    uint32_t begin = d ? b.doc_end[d - 1] : 0;
    *ids_out = b.ids + begin;
    *n_out = b.doc_end[d] - begin;
    return SB_OK;
}

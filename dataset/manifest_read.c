/* SPDX-License-Identifier: MIT
 * manifest_read.c - corpus.json, read.
 *
 * json-c is a lenient parser: doubled keys, numbers that do not fit and
 * unknown keys pass. So what was understood is written again, with its
 * checksum, and must give the bytes of the file. What is accepted is complete
 * and undamaged, and says what we think it says.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/json_parts.h"
#include "dataset/manifest_text.h"

enum { BYTES_MAX = 64 << 20, DEPTH_MAX = 8, LAST_LINE = 25 };

/* ---- values -------------------------------------------------------------- */

static sb_status get(json_object *o, const char *key, json_type type,
                     json_object **v_out)
{
    SB_REQUIRE(json_object_object_get_ex(o, key, v_out), SB_EFORMAT,
               "%s: there is no '%s'", SB_MANIFEST_NAME, key);
    SB_REQUIRE(json_object_is_type(*v_out, type), SB_EFORMAT,
               "%s: '%s' is not of type %s", SB_MANIFEST_NAME, key,
               json_type_to_name(type));
    return SB_OK;
}

static sb_status get_u64(json_object *o, const char *key, uint64_t *v_out)
{
    json_object *v;
    SB_TRY(get(o, key, json_type_int, &v));
    *v_out = json_object_get_uint64(v);
    return SB_OK;
}

static sb_status get_text(json_object *o, const char *key, char *text_out,
                          size_t room)
{
    json_object *v;
    SB_TRY(get(o, key, json_type_string, &v));
    size_t n = (size_t)json_object_get_string_len(v);
    const char *s = json_object_get_string(v);
    SB_REQUIRE(n < room && strlen(s) == n, SB_EFORMAT,
               "%s: '%s' is not a text of at most %zu bytes", SB_MANIFEST_NAME,
               key, room - 1);
    memcpy(text_out, s, n + 1);
    return SB_OK;
}

/* Hashes use all 64 bits, the numbers of many readers of JSON do not: sixteen
 * hexadecimal digits. */
static sb_status get_hex(json_object *o, const char *key, uint64_t *v_out)
{
    char text[17];
    SB_TRY(get_text(o, key, text, sizeof text));
    SB_REQUIRE(strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16,
               SB_EFORMAT, "%s: '%s' is not sixteen hexadecimal digits",
               SB_MANIFEST_NAME, key);
    *v_out = strtoull(text, NULL, 16);
    return SB_OK;
}

/* ---- what it says -------------------------------------------------------- */

static sb_status parse_source(json_object *o, sb_source_entry *s)
{
    json_object *v;
    SB_TRY(get_text(o, "spec", s->spec, sizeof s->spec));
    SB_REQUIRE(json_object_object_get_ex(o, "weight", &v) &&
                   (json_object_is_type(v, json_type_int) ||
                    json_object_is_type(v, json_type_double)),
               SB_EFORMAT, "%s: '%s' has no weight", SB_MANIFEST_NAME, s->spec);
    s->weight = json_object_get_double(v);
    for (int i = 0; i < SB_STATS; i++) {
        uint64_t n;
        SB_TRY(get_u64(o, sb_stats[i].key, &n));
        memcpy((char *)&s->stats + sb_stats[i].at, &n, sizeof n);
    }
    SB_TRY(get(o, "length", json_type_array, &v));
    SB_REQUIRE(json_object_array_length(v) == SB_LENGTHS, SB_EFORMAT,
               "%s: 'length' has not %d numbers", SB_MANIFEST_NAME, SB_LENGTHS);
    for (size_t i = 0; i < SB_LENGTHS; i++)
        s->stats.length[i] =
            json_object_get_uint64(json_object_array_get_idx(v, i));
    return get_text(o, "first_bad", s->stats.first_bad,
                    sizeof s->stats.first_bad);
}

static sb_status parse_shard(json_object *o, const sb_manifest *m,
                             sb_shard_entry *e)
{
    char split[16];
    uint64_t source;
    SB_TRY(get_text(o, "name", e->name, sizeof e->name));
    SB_TRY(get_text(o, "split", split, sizeof split));
    e->split = strcmp(split, sb_split_name[SB_TRAIN]) ? SB_HELDOUT : SB_TRAIN;
    SB_REQUIRE(strcmp(split, sb_split_name[e->split]) == 0, SB_EFORMAT,
               "%s: shard '%s' is of an unknown split", SB_MANIFEST_NAME,
               e->name);
    SB_TRY(get_u64(o, "source", &source));
    e->source = source < m->sources ? (uint32_t)source : UINT32_MAX;
    SB_TRY(get_u64(o, "bytes", &e->bytes));
    SB_TRY(get_u64(o, "blocks", &e->info.blocks));
    SB_TRY(get_u64(o, "tokens", &e->info.tokens));
    SB_TRY(get_u64(o, "sentences", &e->info.sentences));
    SB_TRY(get_u64(o, "documents", &e->info.documents));
    e->info.vocab_size = m->vocab_size;
    e->info.vocab_hash = m->vocab_hash;
    return SB_OK;
}

static sb_status check_version(json_object *o)
{
    char format[32];
    uint64_t version;
    SB_TRY(get_text(o, "format", format, sizeof format));
    SB_REQUIRE(strcmp(format, SB_MANIFEST_FORMAT) == 0, SB_EFORMAT,
               "%s: not a manifest of ours", SB_MANIFEST_NAME);
    SB_TRY(get_u64(o, "version", &version));
    if (version == SB_MANIFEST_VERSION) return SB_OK;
    sb_fail(SB_EVERSION, __FILE__, __LINE__,
            "%s is of version %" PRIu64 ", this program reads %d",
            SB_MANIFEST_NAME, version, SB_MANIFEST_VERSION);
    return sb_hint(
        "delete the corpus and make it anew with `shardbert ingest`");
}

static sb_status parse(json_object *o, sb_manifest *m)
{
    json_object *v;
    SB_TRY(check_version(o));
    SB_TRY(get_u64(o, "vocab_size", &m->vocab_size));
    SB_TRY(get_hex(o, "vocab_hash", &m->vocab_hash));
    SB_TRY(get_hex(o, "input_identity", &m->input_identity));
    SB_TRY(get_text(o, "config", m->config, sizeof m->config));
    SB_TRY(get(o, "sources", json_type_array, &v));
    m->sources = json_object_array_length(v);
    SB_REQUIRE(m->sources <= SB_SOURCES_MAX, SB_EFORMAT,
               "%s: %zu sources are too many", SB_MANIFEST_NAME, m->sources);
    SB_TRY(sb_alloc(m->sources, sizeof *m->source, "sources", &m->source));
    for (size_t i = 0; i < m->sources; i++)
        SB_TRY(parse_source(json_object_array_get_idx(v, i), &m->source[i]));
    SB_TRY(get(o, "shards", json_type_array, &v));
    m->shards = json_object_array_length(v);
    SB_TRY(sb_alloc(m->shards, sizeof *m->shard, "shard list", &m->shard));
    for (size_t i = 0; i < m->shards; i++)
        SB_TRY(parse_shard(json_object_array_get_idx(v, i), m, &m->shard[i]));
    return sb_manifest_check(m);
}

/* ---- the file ------------------------------------------------------------ */

static int line_of(const char *text, size_t at)
{
    int line = 1;
    for (size_t i = 0; i < at; i++) line += text[i] == '\n';
    return line;
}

static sb_status check_bytes(const sb_manifest *m, const char *path,
                             const char *text, size_t bytes)
{
    char *again;
    size_t n, at = 0;
    SB_TRY(sb_manifest_text(m, &again, &n));
    while (at < n && at < bytes && again[at] == text[at]) at++;
    free(again);
    if (at == n && at == bytes) return SB_OK;
    int last = n - at < LAST_LINE; /* the rest is what it says */
    sb_fail(SB_EFORMAT, __FILE__, __LINE__, "'%s', line %d: %s", path,
            line_of(text, at),
            last ? "wrong checksum: it is damaged, or was changed by hand"
                 : "not as `ingest` writes it");
    return sb_hint("restore it; other weights: run `shardbert ingest` again "
                   "with them");
}

static sb_status understand(const char *path, const char *text, size_t bytes,
                            sb_manifest *m)
{
    SB_REQUIRE(bytes && *text == '{' && !sb_json_is_bomb(text, bytes),
               SB_EFORMAT, "'%s', line 1: not an object", path);
    json_tokener *k = json_tokener_new_ex(DEPTH_MAX);
    SB_REQUIRE(k, SB_ENOMEM, "out of memory: reading %s", SB_MANIFEST_NAME);
    json_tokener_set_flags(k, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    size_t n = bytes && text[bytes - 1] == '\n' ? bytes - 1 : bytes;
    json_object *o = NULL;
    sb_status st = sb_json_run(k, text, n, "a manifest", &o);
    enum json_tokener_error e = json_tokener_get_error(k);
    if (st == SB_OK && e != json_tokener_success)
        st = sb_fail(SB_EFORMAT, __FILE__, __LINE__, "'%s', line %d: %s", path,
                     line_of(text, json_tokener_get_parse_end(k)),
                     e == json_tokener_continue ? "the end is missing"
                                                : json_tokener_error_desc(e));
    if (st == SB_OK) st = parse(o, m);
    if (st == SB_OK) st = check_bytes(m, path, text, bytes);
    json_object_put(o);
    json_tokener_free(k);
    return st;
}

sb_status sb_manifest_read(const char *dir, sb_manifest *m_out)
{
    char *path = sb_path_join(dir, SB_MANIFEST_NAME), *text = NULL;
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    size_t bytes;
    sb_manifest *m = NULL; /* large: not on the stack */
    sb_status st = sb_alloc(1, sizeof *m, "manifest", &m);
    if (st == SB_OK) st = sb_file_read(path, BYTES_MAX, &text, &bytes);
    if (st == SB_OK) st = understand(path, text, bytes, m);
    if (st == SB_OK)
        *m_out = *m;
    else if (m)
        sb_manifest_free(m);
    sb_free(m);
    sb_free(text);
    sb_free(path);
    return st;
}

/* The letters before a specification's colon, "c4" of "c4:/data/c4/?.gz". */
static int kind_letters(const char *spec)
{
    size_t n = strcspn(spec, ":");
    return n < 16 ? (int)n : 16;
}

void sb_manifest_source_name(const sb_manifest *m, size_t i,
                             char name_out[SB_SOURCE_NAME_MAX])
{
    const char *spec = m->source[i].spec;
    int n = kind_letters(spec), alike = 0;
    for (size_t k = 0; k < m->sources; k++)
        alike += kind_letters(m->source[k].spec) == n &&
                 strncmp(m->source[k].spec, spec, (size_t)n) == 0;
    if (alike > 1)
        snprintf(name_out, SB_SOURCE_NAME_MAX, "%.*s-%zu", n, spec, i + 1);
    else
        snprintf(name_out, SB_SOURCE_NAME_MAX, "%.*s", n, spec);
}

int sb_manifest_names(const sb_manifest *m, const char *name)
{
    for (size_t i = 0; i < m->shards; i++)
        if (strcmp(m->shard[i].name, name) == 0) return 1;
    return 0;
}

void sb_manifest_free(sb_manifest *m)
{
    sb_free(m->source);
    sb_free(m->shard);
    m->source = NULL;
    m->shard = NULL;
    m->sources = m->shards = 0;
}

/* SPDX-License-Identifier: MIT
 * cmd_inspect.c - `shardbert inspect [PATH...]`: what lies there. Looks on
 * rank 0 alone; the other ranks wait for the outcome. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "launch/common.h"
#include "launch/dump_text.h"
#include "launch/inspect_corpus.h"
#include "proto/checkpoint.h"

static sb_status has(const char *dir, const char *name, int *out)
{
    char *p = sb_path_join(dir, name);
    SB_REQUIRE(p, SB_ENOMEM, "out of memory: a path");
    *out = sb_file_exists(p);
    sb_free(p);
    return SB_OK;
}

/* ---- checkpoint ---------------------------------------------------------- */

static sb_status show_hash(const char *path)
{
    sb_ckpt *c;
    uint64_t hash;
    SB_TRY(sb_ckpt_open(path, &c));
    sb_status st = sb_ckpt_hash(c, &hash);
    if (st == SB_OK) printf("%016" PRIx64 "\n", hash);
    sb_ckpt_close(c);
    return st;
}

static sb_status norm(sb_ckpt *c, const sb_tensor *t, double *out)
{
    enum { PIECE = 1 << 20 };
    float *x;
    double sum = 0;
    uint64_t n = sb_tensor_elements(t);
    SB_TRY(sb_alloc(n < PIECE ? (size_t)n : PIECE, sizeof *x, "a tensor", &x));
    sb_status st = SB_OK;
    for (uint64_t at = 0; at < n && st == SB_OK; at += PIECE) {
        uint64_t k = n - at < PIECE ? n - at : PIECE;
        st = sb_ckpt_get(c, t, at, k, x);
        for (uint64_t i = 0; st == SB_OK && i < k; i++)
            sum += (double)x[i] * (double)x[i];
    }
    sb_free(x);
    *out = sqrt(sum);
    return st;
}

static sb_status show_tensors(sb_ckpt *c)
{
    for (size_t i = 0; i < sb_ckpt_tensors(c); i++) {
        const sb_tensor *t = sb_ckpt_tensor(c, i);
        char shape[96] = "";
        for (uint32_t k = 0; k < t->ndim; k++) {
            size_t at = strlen(shape);
            snprintf(shape + at, sizeof shape - at, "%s%" PRIu64, k ? ", " : "",
                     t->dim[k]);
        }
        double length = 0;
        if (t->dtype == SB_F32) SB_TRY(norm(c, t, &length));
        printf("  %-72s %s [%s]", t->name, t->dtype == SB_F32 ? "f32" : "u64",
               shape);
        if (t->dtype == SB_F32) printf("  norm %.6g", length);
        putchar('\n');
    }
    return SB_OK;
}

static sb_status show_checkpoint(const char *path)
{
    sb_ckpt *c;
    SB_TRY(sb_ckpt_open(path, &c));
    const sb_ckpt_meta *m = sb_ckpt_get_meta(c);
    printf("checkpoint %s: phase %s, %" PRIu64 " of %" PRIu64
           " done, cursor %" PRIu64 ", seed %" PRIu64 ", vocabulary %016" PRIx64
           ", %zu parts\nbuild: %s\n",
           path, m->phase, m->step, m->total, m->cursor, m->seed, m->vocab_hash,
           sb_ckpt_parts(c), m->build);
    sb_status st = show_tensors(c);
    if (st == SB_OK) printf("configuration:\n%s", m->config ? m->config : "");
    sb_ckpt_close(c);
    return st;
}

/* ---- whatever it is ------------------------------------------------------ */

static sb_status show(const sb_app *a, const char *path)
{
    int hash = sb_config_bool(a->config, "hash"), corpus = 0, ckpt = 0;
    SB_TRY(has(path, "corpus.json", &corpus));
    SB_TRY(has(path, "manifest.pb", &ckpt));
    if (corpus && !hash) return sb_inspect_corpus(a, path);
    if (ckpt) return hash ? show_hash(path) : show_checkpoint(path);
    char *latest = NULL;
    sb_status st = sb_ckpt_latest(path, &latest);
    if (st == SB_ENOMEM) return st;
    if (st != SB_OK) {
        sb_fail(SB_ENOENT, __FILE__, __LINE__,
                "'%s' holds neither a corpus nor a checkpoint", path);
        return sb_hint("name a run's corpus, word2vec or mlm folder");
    }
    st = hash ? show_hash(latest) : show_checkpoint(latest);
    sb_free(latest);
    return st;
}

/* A phase was started and has saved nothing. */
static int holds_nothing(const char *dir)
{
    char *latest = NULL;
    int corpus = 0;
    sb_status st = sb_ckpt_latest(dir, &latest);
    sb_free(latest);
    return has(dir, "corpus.json", &corpus) == SB_OK && !corpus &&
           st == SB_ENOENT;
}

static sb_status show_run(const sb_app *a)
{
    static const char *const part[] = {"corpus", "word2vec", "mlm"};
    int any = 0;
    for (int i = sb_config_bool(a->config, "hash"); i < 3; i++) {
        int there = 0;
        SB_TRY(has(a->run, part[i], &there));
        if (!there) continue;
        any = 1;
        char *p = sb_path_join(a->run, part[i]);
        SB_REQUIRE(p, SB_ENOMEM, "out of memory: a path");
        sb_status st = show(a, p);
        if (st == SB_ENOENT && holds_nothing(p)) {
            printf("%s: nothing finished yet\n", p);
            st = SB_OK;
        }
        sb_free(p);
        SB_TRY(st);
    }
    if (any) return SB_OK;
    sb_fail(SB_ENOENT, __FILE__, __LINE__, "'%s' is not a run folder", a->run);
    return sb_hint("name one with --run DIR");
}

/* The run's corpus, or those that are named. */
static sb_status dump_text(const sb_app *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        SB_TRY(sb_dump_text(a, sb_config_word(a->config, i)));
    if (n) return SB_OK;
    char *p = sb_path_join(a->run, "corpus");
    SB_REQUIRE(p, SB_ENOMEM, "out of memory: a path");
    sb_status st = sb_dump_text(a, p);
    sb_free(p);
    return st;
}

static sb_status look(const sb_app *a)
{
    size_t n = sb_config_words(a->config);
    if (sb_config_bool(a->config, "dump-text")) return dump_text(a, n);
    if (n == 0) return show_run(a);
    for (size_t i = 0; i < n; i++)
        SB_TRY(show(a, sb_config_word(a->config, i)));
    return SB_OK;
}

sb_status sb_cmd_inspect(sb_app *a)
{
    return sb_agree(a->comm, sb_comm_rank(a->comm) == 0 ? look(a) : SB_OK);
}

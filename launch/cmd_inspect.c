/* SPDX-License-Identifier: MIT
 * cmd_inspect.c - `shardbert inspect [PATH...]`: what lies there. Looks on
 * rank 0 alone; the other ranks wait for the outcome. */
#include <stdio.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "launch/common.h"
#include "launch/dump_text.h"
#include "launch/inspect_checkpoint.h"
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

/* ---- verify -------------------------------------------------------------- */

/* Of several failures the first; the others have their line. */
static void also(sb_status st, sb_error *first)
{
    if (st != SB_OK && first->code == SB_OK) *first = *sb_error_last();
}

/* Every checkpoint of a phase, newest first. */
static void verify_phase(const char *dir, sb_error *first)
{
    uint64_t *step;
    size_t n;
    sb_status st = sb_ckpt_steps(dir, &step, &n);
    also(st, first);
    if (st != SB_OK) return;
    for (size_t i = 0; i < n; i++) {
        char *path = sb_ckpt_path(dir, step[i]);
        st = path ? sb_verify_checkpoint(path)
                  : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                            "out of memory: a path");
        also(st, first);
        sb_free(path);
    }
    sb_free(step);
}

static sb_status verify(const char *path, int is_corpus, int is_checkpoint)
{
    if (is_corpus) return sb_verify_corpus(path);
    if (is_checkpoint) return sb_verify_checkpoint(path);
    sb_error first = {0};
    verify_phase(path, &first);
    return first.code == SB_OK ? SB_OK : sb_error_set(&first);
}

/* ---- whatever it is ------------------------------------------------------ */

static sb_status look_at(const sb_app *a, const char *path)
{
    int corpus = 0, ckpt = 0;
    SB_TRY(has(path, "corpus.json", &corpus));
    SB_TRY(has(path, "manifest.pb", &ckpt));
    char *latest = NULL;
    sb_status found = SB_OK;
    if (!corpus && !ckpt) found = sb_ckpt_latest(path, &latest);
    if (found == SB_ENOMEM) return found;
    if (found != SB_OK) {
        sb_fail(SB_ENOENT, __FILE__, __LINE__,
                "'%s' holds neither a corpus nor a checkpoint", path);
        return sb_hint("name a run folder, or its corpus, word2vec or mlm "
                       "folder");
    }
    const char *one = latest ? latest : path;
    int hash = sb_config_bool(a->config, "hash");
    sb_status st = sb_config_bool(a->config, "verify")
                       ? verify(path, corpus, ckpt)
                   : hash   ? sb_inspect_hash(one)
                   : corpus ? sb_inspect_corpus(a, path)
                            : sb_inspect_checkpoint(one);
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

static sb_status look_at_part(const sb_app *a, const char *path)
{
    sb_status st = look_at(a, path);
    if (st != SB_ENOENT || !holds_nothing(path)) return st;
    printf("%s: nothing finished yet\n", path);
    return SB_OK;
}

static const char *const parts[] = {"corpus", "word2vec", "mlm"};
enum { PARTS = 3 };

/* The parts that are there; 0 to *any_out if there is none. */
static sb_status look_at_run(const sb_app *a, const char *run, int *any_out)
{
    int verifying = sb_config_bool(a->config, "verify");
    sb_error first = {0};
    *any_out = 0;
    for (int i = sb_config_bool(a->config, "hash"); i < PARTS; i++) {
        int there = 0;
        SB_TRY(has(run, parts[i], &there));
        if (!there) continue;
        *any_out = 1;
        char *p = sb_path_join(run, parts[i]);
        SB_REQUIRE(p, SB_ENOMEM, "out of memory: a path");
        sb_status st = look_at_part(a, p);
        sb_free(p);
        also(st, &first);
        if (!verifying) SB_TRY(st);
    }
    return first.code == SB_OK ? SB_OK : sb_error_set(&first);
}

static sb_status look_at_own_run(const sb_app *a)
{
    int any;
    SB_TRY(look_at_run(a, a->run, &any));
    if (any) return SB_OK;
    sb_fail(SB_ENOENT, __FILE__, __LINE__, "'%s' is not a run folder", a->run);
    return sb_hint("name one with --run DIR");
}

/* A run folder, or one of its parts. */
static sb_status look_at_named(const sb_app *a, const char *path)
{
    int any;
    SB_TRY(look_at_run(a, path, &any));
    return any ? SB_OK : look_at(a, path);
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
    if (n == 0) return look_at_own_run(a);
    for (size_t i = 0; i < n; i++)
        SB_TRY(look_at_named(a, sb_config_word(a->config, i)));
    return SB_OK;
}

sb_status sb_cmd_inspect(sb_app *a)
{
    return sb_agree(a->comm, sb_comm_rank(a->comm) == 0 ? look(a) : SB_OK);
}

/* SPDX-License-Identifier: MIT
 * cmd_show_batch.c - `shardbert show-batch`: a batch of training as the model
 * sees it. The same call as the trainer's fills it, sample by sample. Rank 0
 * speaks. */
#include <inttypes.h>
#include <stdio.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/batch.h"
#include "launch/common.h"

typedef struct shown {
    uint64_t tokens, ordinary; /* of these any may be masked */
    uint64_t masked, as_mask, kept;
} shown;

/* ---- a sample ------------------------------------------------------------ */

static void print_list(const uint32_t *x, size_t n, uint32_t less)
{
    for (size_t i = 0; i < n; i++)
        printf("%s%" PRIu32, i ? " " : "", x[i] - less);
}

/* Numbers alone; places count from [CLS], which is 0. */
static void print_ids(const sb_batch *b)
{
    printf("%" PRIu64 "\t", b->sample[0]);
    print_list(b->ids, b->tokens, 0);
    putchar('\t');
    print_list(b->masked, b->nmasked, 0);
    putchar('\t');
    print_list(b->target, b->nmasked, 0);
    putchar('\n');
}

static void print_pieces(const sb_batch *b, const sb_vocab *v)
{
    printf("\nsample %" PRIu64 ": %zu tokens, %zu masked\n", b->sample[0],
           b->tokens, b->nmasked);
    for (size_t i = 0, m = 0; i < b->tokens; i++) {
        printf("%s%s", i ? " " : "", sb_vocab_piece(v, b->ids[i]));
        if (m < b->nmasked && b->masked[m] == i)
            printf("{%s}", sb_vocab_piece(v, b->target[m++]));
    }
    putchar('\n');
}

static void add(shown *s, const sb_batch *b, const sb_special_ids *special)
{
    s->tokens += b->tokens;
    s->masked += b->nmasked;
    size_t m = 0;
    for (size_t i = 0; i < b->tokens; i++) {
        int masked = m < b->nmasked && b->masked[m] == i;
        s->ordinary += masked || !sb_special_is(special, b->ids[i]);
        if (!masked) continue;
        s->as_mask += b->ids[i] == special->mask;
        s->kept += b->ids[i] == b->target[m++];
    }
}

/* ---- all of them --------------------------------------------------------- */

static void print_legend(const sb_app *a, const sb_batch_options *o,
                         uint64_t first, uint64_t n, uint64_t places)
{
    printf("step %s: samples %" PRIu64 " .. %" PRIu64 "; an epoch has %" PRIu64
           " (%s); masked %s\n",
           sb_config_text(a->config, "step"), first, first + n - 1, places,
           o->sampling->packing ? "packed" : "a document each",
           o->sampling->continues ? "word by word" : "token by token");
    puts("x{y}: the model sees x, which is [MASK], a random piece or y itself, "
         "and has to find y");
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100 * (double)part / (double)whole : 0;
}

static void print_sums(const shown *s, uint64_t n)
{
    uint64_t random = s->masked - s->as_mask - s->kept;
    printf("\n%" PRIu64 " samples, %" PRIu64 " tokens; masked %" PRIu64
           ", %.1f %% of the %" PRIu64 " that are not special: %.1f %% "
           "[MASK], %.1f %% random, %.1f %% kept\n",
           n, s->tokens, s->masked, percent(s->masked, s->ordinary),
           s->ordinary, percent(s->as_mask, s->masked),
           percent(random, s->masked), percent(s->kept, s->masked));
}

static sb_status show(const sb_app *a, sb_corpus *corpus, const sb_vocab *v,
                      const sb_batch_options *o, uint64_t first, uint64_t n)
{
    int ids = sb_config_bool(a->config, "ids");
    sb_batch b;
    shown sums = {0};
    SB_TRY(sb_batch_open(1, o->max_length, &b));
    if (!ids)
        print_legend(a, o, first, n, sb_batch_places(corpus, o->sampling));
    sb_status st = SB_OK;
    for (uint64_t g = first; g < first + n; g++) {
        SB_GOTO(st, sb_batch_train(&b, corpus, o, g, 1), out);
        if (ids)
            print_ids(&b);
        else
            print_pieces(&b, v);
        add(&sums, &b, &o->special);
    }
    if (!ids) print_sums(&sums, n);
out:
    sb_batch_close(&b);
    return st;
}

/* The samples that --step and --samples name. */
static sb_status range(const sb_config *c, uint64_t *first_out, uint64_t *n_out)
{
    uint64_t batch = (uint64_t)sb_config_int(c, "batch");
    uint64_t step = (uint64_t)sb_config_int(c, "step"), last;
    uint64_t steps = (uint64_t)sb_config_int(c, "steps");
    uint64_t n = (uint64_t)sb_config_int(c, "samples");
    SB_REQUIRE(step < steps, SB_EINVAL,
               "no step %" PRIu64 ": the steps are 0 .. %" PRIu64, step,
               steps - 1);
    SB_REQUIRE(!__builtin_mul_overflow(step + 1, batch, &last), SB_ELIMIT,
               "step %" PRIu64 " of batches of %" PRIu64
               " is beyond all sample numbers",
               step, batch);
    SB_REQUIRE(n <= batch, SB_EINVAL,
               "samples = %" PRIu64 " is more than batch = %" PRIu64, n, batch);
    *first_out = step * batch;
    *n_out = n ? n : batch;
    return SB_OK;
}

static sb_status look(const sb_app *a, sb_corpus *corpus, const sb_vocab *v,
                      const sb_sampling *sampling)
{
    const sb_config *c = a->config;
    sb_batch_options o = {.seed = (uint64_t)sb_config_int(c, "seed"),
                          .max_length =
                              (uint32_t)sb_config_int(c, "max-length"),
                          .mask_prob = (float)sb_config_real(c, "mask-prob"),
                          .special = sb_vocab_special(v),
                          .vocab_size = sb_vocab_size(v),
                          .sampling = sampling};
    uint64_t first, n;
    if (sb_corpus_vocab_hash(corpus) != sb_vocab_hash(v)) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "the corpus was encoded with another vocabulary");
        return sb_hint("name that one with --vocab FILE");
    }
    SB_TRY(range(c, &first, &n));
    return show(a, corpus, v, &o, first, n);
}

sb_status sb_cmd_show_batch(sb_app *a)
{
    sb_vocab *vocab = NULL;
    sb_corpus *train = NULL;
    sb_sampling sampling = {0};
    char *dir = NULL;
    sb_status st;
    SB_GOTO(st, sb_app_vocab(a, &vocab), out);
    SB_GOTO(st, sb_app_corpus(a, SB_TRAIN, &train), out);
    SB_GOTO(st, sb_app_sampling(a, vocab, train, &sampling), out);
    SB_GOTO(st, sb_agree(a->comm, sb_app_path(a, NULL, "mlm", &dir)), out);
    sb_app_compare_options(a, dir);
    st = sb_comm_rank(a->comm) == 0 ? look(a, train, vocab, &sampling) : SB_OK;
    st = sb_agree(a->comm, st);
out:
    sb_sampling_close(&sampling);
    sb_corpus_close(train);
    sb_vocab_close(vocab);
    sb_free(dir);
    return st;
}

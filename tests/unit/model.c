/* SPDX-License-Identifier: MIT
 * One slot through the network: gradients against finite differences with
 * dropout on, packing, threads. (Against PyTorch: tests/golden.) */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "comm/base/mem.h"
#include "comm/base/pool.h"
#include "comm/base/rng.h"
#include "trainer/kernels/kernels.h"
#include "trainer/mlm/model.h"

enum { V = 20, D = 16, T = 6, SEQ = 3 };
static const sb_mlm_shape shape = {V, D, 2, 2, 24, T};
static sb_layout layout;
static float *w, rows[V * D], weight[SEQ * T * D];
static sb_batch batch;
static sb_work work;
static uint32_t place[SEQ * T];

static int setup(void **state)
{
    (void)state;
    sb_kernels_start();
    if (sb_layout_open(&shape, &layout) != SB_OK) return 1;
    if (sb_alloc(layout.total, sizeof *w, "w", &w) != SB_OK) return 1;
    sb_layout_init(&layout, w, 1, 0.3f);
    sb_rng_key key = sb_rng_key_make(1, SB_RNG_TEST);
    sb_rng_normal(key, 1, 0, rows, V * D, 0.5f);
    sb_rng_normal(key, 2, 0, weight, SEQ * T * D, 1);
    if (sb_batch_open(SEQ, T, &batch) != SB_OK) return 1;
    if (sb_work_open(&layout, SEQ, T, SB_FP32, &work) != SB_OK) return 1;
    static const uint32_t begin[] = {0, 6, 7, 11}, masked[] = {1, 5, 6, 9};
    memcpy(batch.seq_begin, begin, sizeof begin);
    memcpy(batch.masked, masked, sizeof masked);
    batch.tokens = 11;
    batch.sequences = SEQ;
    batch.nmasked = 4;
    for (uint32_t i = 0; i < SEQ; i++) batch.sample[i] = 100 + i;
    for (uint32_t i = 0; i < batch.tokens; i++)
        place[i] = batch.ids[i] = (i * 7 + 3) % V;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sb_batch_close(&batch);
    sb_work_close(&work);
    sb_layout_close(&layout);
    sb_free(w);
    return 0;
}

/* A made-up loss: the dot product of z with fixed weights. */
static double loss(sb_acts *a, const sb_dropout_rate *drop)
{
    double sum = 0;
    sb_model_forward(&layout, (sb_weights){.full = w}, &batch, rows, place,
                     drop, a, &work);
    for (size_t i = 0; i < batch.nmasked * D; i++)
        sum += (double)a->z[i] * (double)weight[i];
    return sum;
}

static double slope(sb_acts *a, const sb_dropout_rate *drop, float *x)
{
    const float h = 2e-3f, was = *x;
    *x = was + h;
    double up = loss(a, drop);
    *x = was - h;
    double down = loss(a, drop);
    *x = was;
    return (up - down) / (2 * (double)h);
}

static void every_gradient_agrees_with_finite_differences(void **state)
{
    (void)state;
    const sb_dropout_rate rate[] = {{0, 0, 0}, {0.3f, 0.2f, 9}};
    sb_acts a;
    float *grad, dword[SEQ * T * D];
    assert_int_equal(sb_acts_open(&layout, SEQ, T, &a), SB_OK);
    assert_int_equal(sb_alloc(layout.total, sizeof *grad, "g", &grad), SB_OK);
    for (int d = 0; d < 2; d++) {
        loss(&a, &rate[d]);
        for (size_t s = layout.stages; s-- > 0;)
            sb_model_backward(&layout, s, (sb_weights){.full = w}, &batch,
                              weight, &rate[d], &a, &work,
                              grad + layout.stage_at[s], dword);
        for (size_t p = 0; p < layout.params; p++) {
            const sb_param *x = &layout.param[p];
            for (size_t i = 0; i < x->n; i += x->n / 5 + 1) {
                double want = slope(&a, &rate[d], w + x->at + i);
                double got = (double)grad[x->at + i];
                if (fabs(got - want) > 0.02 * (fabs(want) + 0.1))
                    fail_msg("%s[%zu]: %g, by differences %g", x->tensor.name,
                             i, got, want);
            }
        }
        float sum[V * D] = {0}; /* rows used at several positions */
        sb_rows_add(sum, dword, place, batch.tokens, D);
        for (size_t i = 0; i < V * D; i += 7) {
            double want = slope(&a, &rate[d], rows + i);
            assert_true(fabs((double)sum[i] - want) <
                        0.02 * (fabs(want) + 0.1));
        }
    }
    sb_free(grad);
    sb_acts_close(&a);
}

/* All gradients of the made-up loss, and z. */
static void gradients(sb_precision p, float *z, float *grad)
{
    const sb_dropout_rate drop = {0.3f, 0.2f, 9};
    sb_acts a;
    sb_work k;
    char *rounded;
    float dword[SEQ * T * D];
    size_t size = sb_rounded_size(p);
    assert_int_equal(sb_acts_open(&layout, SEQ, T, &a), SB_OK);
    assert_int_equal(sb_work_open(&layout, SEQ, T, p, &k), SB_OK);
    assert_int_equal(sb_alloc(layout.total, size, "w", &rounded), SB_OK);
    sb_round(rounded, w, layout.total, p);
    const sb_weights both = {w, rounded};
    sb_model_forward(&layout, both, &batch, rows, place, &drop, &a, &k);
    memcpy(z, a.z, batch.nmasked * D * sizeof *z);
    for (size_t s = layout.stages; s-- > 0;)
        sb_model_backward(&layout, s, both, &batch, weight, &drop, &a, &k,
                          grad + layout.stage_at[s], dword);
    sb_free(rounded);
    sb_work_close(&k);
    sb_acts_close(&a);
}

/* By length; |a| is not 0. */
static double distance(const float *a, const float *b, size_t n)
{
    double apart = 0, length = 0;
    for (size_t i = 0; i < n; i++) {
        apart += pow((double)a[i] - (double)b[i], 2);
        length += pow((double)a[i], 2);
    }
    return sqrt(apart / length);
}

static void rounded_operands_change_each_gradient_a_little(void **state)
{
    (void)state;
    const size_t n = batch.nmasked * D;
    float z[2][SEQ * T * D], *grad[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sb_alloc(layout.total, 4, "g", &grad[i]), SB_OK);
        gradients(i ? SB_BF16_EMULATED : SB_FP32, z[i], grad[i]);
    }
    assert_true(distance(z[0], z[1], n) > 1e-4);
    assert_true(distance(z[0], z[1], n) < 0.02);
    for (size_t p = 0; p < layout.params; p++) {
        const sb_param *x = &layout.param[p];
        if (strstr(x->tensor.name, "k_lin.bias"))
            continue; /* 0 but for noise */
        double d = distance(grad[0] + x->at, grad[1] + x->at, x->n);
        if (!(d < 0.05 && (d > 1e-5 || x->tensor.ndim == 1)))
            fail_msg("%s: gradients %g apart", x->tensor.name, d);
    }
    for (int i = 0; i < 2; i++) sb_free(grad[i]);
}

static void a_sequence_does_not_see_its_neighbours_in_the_slot(void **state)
{
    (void)state;
    const sb_dropout_rate none = {0};
    sb_acts a;
    float before[D], other[D];
    assert_int_equal(sb_acts_open(&layout, SEQ, T, &a), SB_OK);
    loss(&a, &none);
    memcpy(before, a.z, sizeof before); /* of the first sequence */
    uint32_t was = place[8];
    place[8] = (was + 1) % V; /* in the third */
    loss(&a, &none);
    memcpy(other, a.z + 3 * D, sizeof other);
    assert_memory_equal(before, a.z, sizeof before);
    place[8] = was;
    loss(&a, &none);
    assert_memory_not_equal(other, a.z + 3 * D, sizeof other);
    sb_acts_close(&a);
}

typedef struct job {
    sb_acts a[4];
    sb_work work[4];
    float z[16][4 * D];
} job;

static sb_status forward_task(void *context, size_t task, int worker)
{
    static const sb_dropout_rate drop = {0.1f, 0.1f, 5};
    job *j = context;
    sb_model_forward(&layout, (sb_weights){.full = w}, &batch, rows, place,
                     &drop, &j->a[worker], &j->work[worker]);
    memcpy(j->z[task], j->a[worker].z, sizeof j->z[task]);
    return SB_OK;
}

static void threads_compute_the_same_bits_side_by_side(void **state)
{
    (void)state;
    static job j;
    sb_pool *pool;
    assert_int_equal(sb_pool_open(4, &pool), SB_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(sb_acts_open(&layout, SEQ, T, &j.a[i]), SB_OK);
        assert_int_equal(sb_work_open(&layout, SEQ, T, SB_FP32, &j.work[i]),
                         SB_OK);
    }
    assert_int_equal(sb_pool_run(pool, 16, forward_task, &j), SB_OK);
    for (int i = 1; i < 16; i++)
        assert_memory_equal(j.z[0], j.z[i], sizeof j.z[0]);
    for (int i = 0; i < 4; i++) {
        sb_acts_close(&j.a[i]);
        sb_work_close(&j.work[i]);
    }
    sb_pool_close(pool);
}

static void the_layout_has_hugging_faces_parameters(void **state)
{
    (void)state;
    /* 106 names in Hugging Face; the table, the output bias and the projector
     * tied to the table are not in the flat vector. */
    sb_layout real;
    const sb_mlm_shape recipe = {256000, 768, 6, 12, 3072, 512};
    assert_int_equal(sb_layout_open(&recipe, &real), SB_OK);
    size_t floats = 0, covered = 0;
    for (size_t i = 0; i < real.params; i++) {
        floats += real.param[i].n;
        for (size_t k = 0; k < i; k++)
            assert_true(real.param[i].at >=
                            real.param[k].at + real.param[k].n ||
                        real.param[k].at >= real.param[i].at + real.param[i].n);
    }
    assert_int_equal(real.params, 103);
    assert_int_equal(floats, 43514112);
    for (size_t k = 0; k < real.spans; k++) {
        const sb_span *s = &real.span[k];
        assert_true(s->n > 0 && s->n <= SB_LAYOUT_SPAN);
        assert_true(k == 0 || s->at >= s[-1].at + s[-1].n);
        covered += s->n;
    }
    assert_int_equal(covered, floats);
    covered = 0;
    for (int r = 0; r < 7; r++) {
        sb_own own[8];
        assert_int_equal(real.stages, 8);
        size_t n = sb_layout_own(&real, r, 7, own);
        for (size_t s = 0; s < 8; s++) {
            assert_true(own[s].first >= real.stage_at[s] &&
                        own[s].last <= real.stage_at[s + 1]);
            n -= own[s].last - own[s].first;
            covered += own[s].last - own[s].first;
        }
        assert_int_equal(n, 0);
    }
    assert_int_equal(covered, real.total);
    sb_layout_close(&real);
}

static void impossible_shapes_are_refused(void **state)
{
    (void)state;
    sb_layout l;
    assert_int_equal(sb_layout_open(&(sb_mlm_shape){V, 30, 2, 4, 24, T}, &l),
                     SB_EINVAL);
    assert_int_equal(sb_layout_open(&(sb_mlm_shape){V, 12, 2, 2, 24, T}, &l),
                     SB_EINVAL);
    assert_int_equal(sb_layout_open(&(sb_mlm_shape){V, 16, 0, 2, 24, T}, &l),
                     SB_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_gradient_agrees_with_finite_differences),
        cmocka_unit_test(rounded_operands_change_each_gradient_a_little),
        cmocka_unit_test(a_sequence_does_not_see_its_neighbours_in_the_slot),
        cmocka_unit_test(threads_compute_the_same_bits_side_by_side),
        cmocka_unit_test(the_layout_has_hugging_faces_parameters),
        cmocka_unit_test(impossible_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

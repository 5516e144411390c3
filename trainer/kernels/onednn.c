/* SPDX-License-Identifier: MIT
 * onednn.c - the door to oneDNN. */
#include "trainer/kernels/onednn.h"

#include "trainer/kernels/kernels.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <dnnl.h>
#include <dnnl_debug.h>

struct sb_onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_data_type_t type;
    dnnl_primitive_t matmul[2][2][2]; /* ta, tb, add */
};

/* Of the OpenMP that oneDNN is linked to (cmake/onednn.cmake); <omp.h> comes
 * with the compiler's own, which may be another. Holds for this thread. */
extern void omp_set_num_threads(int n);

/* n < 100 */
static char *put_number(char *to, int n)
{
    if (n >= 10) *to++ = (char)('0' + n / 10 % 10);
    *to++ = (char)('0' + n % 10);
    return to;
}

int sb_kernels_onednn(char version_out[16])
{
    const dnnl_version_t *v = dnnl_version(); /* of the library that runs */
    char *to = put_number(version_out, v->major);
    *to++ = '.';
    to = put_number(to, v->minor);
    *to++ = '.';
    *put_number(to, v->patch) = '\0';
    return 1;
}

const char *sb_kernels_onednn_set(void)
{
    static const char prefix[] = "cpu_isa_";
    const char *name = dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa());
    size_t n = sizeof prefix - 1;
    return strncmp(name, prefix, n) == 0 ? name + n : name;
}

/* A rows x cols matrix that lies row by row, or, transposed, column by column.
 * 1: done. */
static int describe(dnnl_memory_desc_t *d, dnnl_data_type_t type, int64_t rows,
                    int64_t cols, int transposed)
{
    const dnnl_dims_t size = {rows, cols};
    const dnnl_dims_t stride = {transposed ? 1 : cols, transposed ? rows : 1};
    return dnnl_memory_desc_init_by_strides(d, 2, size, type, stride) ==
           dnnl_success;
}

static int describe_all(dnnl_memory_desc_t d[3], dnnl_data_type_t type, int ta,
                        int tb, int64_t m, int64_t n, int64_t k)
{
    return describe(&d[0], type, m, k, ta) && describe(&d[1], type, k, n, tb) &&
           describe(&d[2], dnnl_f32, m, n, 0);
}

/* c += a b is the product with what was in c as a second summand. The room that
 * a primitive wants is to be ours, and has to be none (fits). */
static int attributes(int add, dnnl_primitive_attr_t *attr_out)
{
    dnnl_post_ops_t ops = NULL;
    int ok = dnnl_primitive_attr_create(attr_out) == dnnl_success &&
             dnnl_primitive_attr_set_scratchpad_mode(
                 *attr_out, dnnl_scratchpad_mode_user) == dnnl_success &&
             dnnl_post_ops_create(&ops) == dnnl_success;
    if (ok && add)
        ok = dnnl_post_ops_append_sum(ops, 1.0f) == dnnl_success &&
             dnnl_primitive_attr_set_post_ops(*attr_out, ops) == dnnl_success;
    if (ops) dnnl_post_ops_destroy(ops);
    return ok;
}

/* Not oneDNN's plain loops, which it has for everything, and no scratchpad. */
static int fits(const_dnnl_primitive_desc_t p)
{
    const char *name = NULL;
    const dnnl_memory_desc_t *room =
        dnnl_primitive_desc_query_md(p, dnnl_query_scratchpad_md, 0);
    return room && dnnl_memory_desc_get_size(room) == 0 &&
           dnnl_primitive_desc_query(p, dnnl_query_impl_info_str, 0, &name) ==
               dnnl_success &&
           strncmp(name, "ref", 3) != 0;
}

static dnnl_primitive_t make(const sb_onednn *x, int ta, int tb, int add)
{
    const int64_t open = DNNL_RUNTIME_DIM_VAL;
    dnnl_memory_desc_t d[3];
    dnnl_matmul_desc_t op;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t made = NULL;
    if (attributes(add, &attr) &&
        describe_all(d, x->type, ta, tb, open, open, open) &&
        dnnl_matmul_desc_init(&op, &d[0], &d[1], NULL, &d[2]) == dnnl_success &&
        dnnl_primitive_desc_create(&desc, &op, attr, x->engine, NULL) ==
            dnnl_success &&
        fits(desc) && dnnl_primitive_create(&made, desc) != dnnl_success)
        made = NULL;
    if (desc) dnnl_primitive_desc_destroy(desc);
    if (attr) dnnl_primitive_attr_destroy(attr);
    return made;
}

sb_onednn *sb_onednn_open(sb_onednn_type type)
{
    sb_onednn *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    omp_set_num_threads(1);
    x->type = type == SB_ONEDNN_BF16 ? dnnl_bf16 : dnnl_f32;
    int ok = dnnl_engine_create(&x->engine, dnnl_cpu, 0) == dnnl_success &&
             dnnl_stream_create(&x->stream, x->engine,
                                dnnl_stream_default_flags) == dnnl_success;
    for (int i = 0; ok && i < 8; i++) {
        int ta = i >> 2, tb = i >> 1 & 1, add = i & 1;
        x->matmul[ta][tb][add] = make(x, ta, tb, add);
        ok = x->matmul[ta][tb][add] != NULL;
    }
    if (ok) return x;
    sb_onednn_close(x);
    return NULL;
}

void sb_onednn_close(sb_onednn *x)
{
    if (!x) return;
    for (int i = 0; i < 8; i++) {
        dnnl_primitive_t p = x->matmul[i >> 2][i >> 1 & 1][i & 1];
        if (p) dnnl_primitive_destroy(p);
    }
    if (x->stream) dnnl_stream_destroy(x->stream);
    if (x->engine) dnnl_engine_destroy(x->engine);
    free(x);
}

const char *sb_onednn_lacks(sb_onednn_type type)
{
    sb_onednn *x = sb_onednn_open(type);
    sb_onednn_close(x);
    return x ? NULL : "oneDNN has no such product for this processor";
}

int sb_onednn_product(sb_onednn *x, float *c, int add, const void *a, int ta,
                      const void *b, int tb, size_t m, size_t n, size_t k)
{
    static const int name[3] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST};
    void *const data[3] = {(void *)(uintptr_t)a, (void *)(uintptr_t)b, c};
    dnnl_memory_desc_t d[3];
    dnnl_exec_arg_t arg[3] = {{0}};
    omp_set_num_threads(1);
    int ok =
        describe_all(d, x->type, ta, tb, (int64_t)m, (int64_t)n, (int64_t)k);
    for (int i = 0; ok && i < 3; i++) {
        arg[i].arg = name[i];
        ok = dnnl_memory_create(&arg[i].memory, &d[i], x->engine, data[i]) ==
             dnnl_success;
    }
    ok = ok &&
         dnnl_primitive_execute(x->matmul[ta != 0][tb != 0][add != 0],
                                x->stream, 3, arg) == dnnl_success &&
         dnnl_stream_wait(x->stream) == dnnl_success;
    for (int i = 0; i < 3; i++)
        if (arg[i].memory) dnnl_memory_destroy(arg[i].memory);
    return ok;
}

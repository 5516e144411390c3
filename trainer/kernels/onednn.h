/* SPDX-License-Identifier: MIT
 * onednn.h - matrix products by oneDNN, one thread at a time.
 *
 * oneDNN compiles a primitive for a product, which takes longer than many of
 * our products do, and every slot has its own number of tokens. So the eight
 * primitives here (which operand is transposed, written or added) leave all
 * sizes open until they run: nothing is compiled, kept or thrown away later.
 * oneDNN 2.6 then takes its GEMM, which packs both operands, not its newer
 * kernels for fixed sizes; both run on AVX-512's and AMX's bf16 instructions.
 *
 * A handle serves one thread at a time. A call computes on its thread alone
 * and asks OpenMP for one thread, which stays so for the calling thread. The
 * result depends on sizes and operands alone. Private to trainer/kernels and
 * the tests; without oneDNN in the build nothing can be opened. */
#ifndef SB_KERNELS_ONEDNN_H
#define SB_KERNELS_ONEDNN_H

#include <stddef.h>

typedef struct sb_onednn sb_onednn;

/* The operands' type; results are fp32. fp32 is for tests: the same code on
 * processors without bf16. */
typedef enum sb_onednn_type { SB_ONEDNN_FP32, SB_ONEDNN_BF16 } sb_onednn_type;

/* What a product's packed operands take at most (oneDNN 2.6, x86-64: blocks of
 * 9984 x 768 and 384 x 768 bf16). */
enum { SB_ONEDNN_HIDDEN = 16 << 20 };

/* NULL: oneDNN multiplies such operands here. Else why not; static. */
const char *sb_onednn_lacks(sb_onednn_type type);

/* NULL: no memory, or sb_onednn_lacks. */
sb_onednn *sb_onednn_open(sb_onednn_type type);
void sb_onednn_close(sb_onednn *x); /* NULL is fine */

/* As sb_mixed_product (kernels.h). 0: no memory; c is undefined. */
int sb_onednn_product(sb_onednn *x, float *c, int add, const void *a, int ta,
                      const void *b, int tb, size_t m, size_t n, size_t k);

#endif

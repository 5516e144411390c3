/* SPDX-License-Identifier: MIT
 * sgns_body.h - the two products of sgns.c for vectors of W floats.
 *
 * Included once for each W, with NAME(x) giving every width names of its own.
 * A vector is GCC's and clang's vector type: whatever registers the processor
 * has, the compiler fills them. What counts is how many are alive at a time:
 *   dots    2 inputs x TILE outputs = 12 sums, and 3 operands
 *   update  TILE outputs, TILE new ones, an input, its new one, a factor
 * that is 15 of the 16 registers of SSE and AVX2. */

typedef float NAME(vec)
    __attribute__((vector_size(4 * W), aligned(4), may_alias));
#define AT(p) (*(NAME(vec) *)(p))

/* z[q][j] = <in_q, out_j> for Q <= 2 inputs and M <= TILE outputs; rows of z
 * are `zs` apart. `next`: rows to fetch on the way. */
SB_INLINE void NAME(dots)(float *z, size_t zs, float *const *in, size_t Q,
                          float *const *out, size_t M, float *const *next,
                          size_t D)
{
    NAME(vec) s[2 * TILE];
    for (size_t k = 0; k < Q * M; k++) s[k] = (NAME(vec)){0};
    for (size_t c = 0; c < D; c += W) {
        NAME(vec) x[2];
        for (size_t q = 0; q < Q; q++) {
            x[q] = AT(in[q] + c);
            __builtin_prefetch(next[q] + c, 0, 2);
        }
        for (size_t j = 0; j < M; j++) {
            NAME(vec) o = AT(out[j] + c);
            IN_REGISTER(o);
            for (size_t q = 0; q < Q; q++) s[q * M + j] += x[q] * o;
        }
    }
    for (size_t k = 0; k < Q * M; k++) {
        float sum[W];
        memcpy(sum, &s[k], sizeof sum);
        for (size_t half = W / 2; half > 0; half /= 2)
            for (size_t l = 0; l < half; l++) sum[l] += sum[l + half];
        z[k / M * zs + k % M] = sum[0];
    }
}

/* For every input and M <= TILE outputs, columns W at a time,
 *   to_i += sum_j g_ij out_j,  out_j += sum_i g_ij in_i
 * of old values. to[i] is in[i] itself or another row. Rows of g are `gs`
 * apart. */
SB_INLINE void NAME(update)(float *const *to, float *const *in, size_t n,
                            float *const *out, size_t M, const float *g,
                            size_t gs, size_t D)
{
    for (size_t c = 0; c < D; c += W) {
        NAME(vec) o[TILE], d[TILE];
        for (size_t j = 0; j < M; j++) o[j] = d[j] = AT(out[j] + c);
        for (size_t i = 0; i < n; i++) {
            NAME(vec) x = AT(in[i] + c), y = AT(to[i] + c);
            for (size_t j = 0; j < M; j++) {
                y += g[i * gs + j] * o[j];
                d[j] += g[i * gs + j] * x;
            }
            AT(to[i] + c) = y;
        }
        for (size_t j = 0; j < M; j++) AT(out[j] + c) = d[j];
    }
}

#undef AT
#undef W
#undef NAME

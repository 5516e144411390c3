/* SPDX-License-Identifier: MIT
 * adamw.c - the optimiser's update. */
#include "trainer/kernels/kernels.h"

#include "trainer/kernels/vec.h"

/* Constants of one step, as PyTorch's Python computes them: in double, then
 * rounded to the type of the arrays. */
typedef struct consts {
    float shrink, beta1, rest1, beta2, rest2, step, root, eps, clip;
} consts;

SB_INLINE void adamw_block(float *w, float *m, float *v, const float *grad,
                           const consts *c)
{
    EACH_LANE(l)
    {
        float d = c->clip * grad[l];
        float p = c->beta1 * m[l] + c->rest1 * d;
        float q = c->beta2 * v[l] + c->rest2 * d * d;
        float below = sqrtf(q) / c->root + c->eps;
        w[l] = c->shrink * w[l] - c->step * p / below;
        m[l] = p;
        v[l] = q;
    }
}

SB_INLINE void adamw_step_body(float *w, float *m, float *v, const float *grad,
                               const consts *o, size_t n)
{
    const consts c = *o; /* a copy that the stores cannot reach */
    size_t i = 0;
    for (; n - i >= LANES; i += LANES)
        adamw_block(w + i, m + i, v + i, grad + i, &c);
    if (i < n) {
        float a[LANES], p[LANES], q[LANES], g[LANES];
        lanes_load(a, w + i, n - i, 0.0f);
        lanes_load(p, m + i, n - i, 0.0f);
        lanes_load(q, v + i, n - i, 0.0f);
        lanes_load(g, grad + i, n - i, 0.0f);
        adamw_block(a, p, q, g, &c);
        lanes_store(w + i, a, n - i);
        lanes_store(m + i, p, n - i);
        lanes_store(v + i, q, n - i);
    }
}

static void adamw_step(float *w, float *m, float *v, const float *grad,
                       const consts *o, size_t n);
SB_KERNEL(adamw_step, adamw_step_body,
          (float *w, float *m, float *v, const float *grad, const consts *o,
           size_t n),
          (w, m, v, grad, o, n))

void sb_adamw_step(float *w, float *m, float *v, const float *grad,
                   const sb_adamw *o, size_t n)
{
    const double b1 = o->beta1, b2 = o->beta2;
    const double t = (double)o->t, lr = (double)o->lr;
    const consts c = {.shrink = (float)(1.0 - lr * (double)o->decay),
                      .beta1 = (float)b1,
                      .rest1 = (float)(1.0 - b1),
                      .beta2 = (float)b2,
                      .rest2 = (float)(1.0 - b2),
                      .step = (float)(lr / (1.0 - pow(b1, t))),
                      .root = (float)sqrt(1.0 - pow(b2, t)),
                      .eps = o->eps,
                      .clip = o->clip};
    adamw_step(w, m, v, grad, &c, n);
}

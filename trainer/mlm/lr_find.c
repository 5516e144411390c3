/* SPDX-License-Identifier: MIT
 * lr_find.c - the learning rate range test. */
#include "trainer/mlm/lr_find.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "trainer/mlm/engine.h"

/* ---- the curve ----------------------------------------------------------- */

/* The line through the losses at most `reach` steps from point i: its value
 * there, and its slope per step. */
static double fit(const sb_lr_curve *c, size_t i, size_t reach, double *slope)
{
    size_t from = i > reach ? i - reach : 0;
    size_t to = c->n - i > reach ? i + reach + 1 : c->n;
    double n = (double)(to - from), x = 0, y = 0, xx = 0, xy = 0;
    for (size_t k = from; k < to; k++) {
        double at = (double)k - (double)i;
        x += at;
        y += c->point[k].loss;
        xx += at * at;
        xy += at * c->point[k].loss;
    }
    double det = n * xx - x * x;
    *slope = det > 0 ? (n * xy - x * y) / det : 0;
    return (y - *slope * x) / n;
}

/* Lines with a whole window alone are compared: those at the ends stand on
 * few losses. */
void sb_lr_curve_judge(sb_lr_curve *c)
{
    size_t reach = c->steps / 12, end = c->n > reach ? c->n - reach : 0;
    double slope, steepest = 0;
    for (size_t i = 0; i < c->n; i++)
        c->point[i].smooth = fit(c, i, reach, &slope);
    c->lowest = c->steepest = c->n;
    for (size_t i = reach; i < end; i++)
        if (c->lowest == c->n ||
            c->point[i].smooth < c->point[c->lowest].smooth)
            c->lowest = i;
    for (size_t i = reach; i < end && i <= c->lowest; i++) {
        fit(c, i, reach, &slope);
        if (slope >= steepest) continue;
        steepest = slope;
        c->steepest = i;
    }
}

void sb_lr_curve_close(sb_lr_curve *c)
{
    sb_free(c->point);
    memset(c, 0, sizeof *c);
}

/* ---- the sweep ----------------------------------------------------------- */

/* Point i: the loss of batch i, and an update with the point's learning rate.
 * *over_out: this is where the sweep ends, and the point is none. */
static sb_status measure(sb_mlm *m, sb_corpus *train, size_t i, double best,
                         sb_lr_point *p, int *over_out)
{
    sb_wave w;
    double norm;
    SB_TRY(sb_mlm_forward(m, train, SB_WAVE_TRAIN, i * m->o->batch, 0, &w));
    if (w.stop) SB_FAIL(SB_ESTOP, "asked to stop: nothing was written");
    p->loss = w.masked ? w.loss_sum / (double)w.masked : best;
    /* Alike on unlike processors too, so that all end with the same point. */
    sb_comm_bcast(m->comm, &p->loss, sizeof p->loss, 0);
    *over_out = !isfinite(p->loss) || p->loss > 4 * best;
    if (*over_out) return SB_OK;
    SB_TRY(sb_mlm_backward(m));
    sb_status st = sb_optimiser_step(&m->optimiser, &m->o->adam, p->lr, i + 1,
                                     m->pool, m->w, &norm);
    *over_out = st == SB_ENAN;
    return st == SB_ENAN ? SB_OK : st;
}

static sb_status sweep(sb_mlm *m, sb_corpus *train, sb_lr_curve *c)
{
    double best = INFINITY;
    double factor = log(SB_LR_FIND_TO / SB_LR_FIND_FROM);
    sb_progress progress;
    sb_progress_begin(&progress, "lr-find", 0);
    for (int over = 0; c->n < c->steps; c->n++) {
        sb_lr_point *p = &c->point[c->n];
        double share = (double)c->n / (double)(c->steps - 1);
        p->lr = SB_LR_FIND_FROM * exp(factor * share);
        SB_TRY(measure(m, train, c->n, best, p, &over));
        if (over) break;
        if (p->loss < best) best = p->loss;
        sb_progress_show(&progress, share, "lr %.2e  loss %.3f", p->lr,
                         p->loss);
    }
    sb_progress_end(&progress, "%zu of %zu steps%s", c->n, c->steps,
                    c->n < c->steps ? ", then the loss was too large" : "");
    return SB_OK;
}

sb_status sb_lr_find(sb_mlm *m, sb_corpus *train, size_t steps,
                     sb_lr_curve *curve_out)
{
    sb_lr_curve c = {.steps = steps};
    SB_TRY(sb_agree(
        m->comm, sb_alloc(steps, sizeof *c.point, "learning rates", &c.point)));
    sb_status st = sweep(m, train, &c);
    if (st != SB_OK) {
        sb_lr_curve_close(&c);
        return st;
    }
    sb_lr_curve_judge(&c);
    *curve_out = c;
    return SB_OK;
}

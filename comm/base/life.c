/* SPDX-License-Identifier: MIT
 * life.c - signs of life. */
#include "comm/base/life.h"

#include <inttypes.h>
#include <stdio.h>

static uint64_t beats, number = SB_LIFE_PLAIN;
static uint32_t waiting;
static const char *at = "start", *doing = "";

#define LOAD(x)     __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define STORE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)

void sb_life_beat(void)
{
    __atomic_fetch_add(&beats, 1, __ATOMIC_RELAXED);
}

void sb_life_at(const char *what, uint64_t n)
{
    STORE(at, what);
    STORE(number, n);
    sb_life_doing("");
}

void sb_life_doing(const char *what)
{
    STORE(doing, what);
    sb_life_beat();
}

void sb_life_wait(int on)
{
    STORE(waiting, (uint32_t)on);
    if (!on) sb_life_beat();
}

sb_life sb_life_now(void)
{
    sb_life l = {.beats = LOAD(beats), .waiting = LOAD(waiting)};
    uint64_t n = LOAD(number);
    const char *place = LOAD(at), *what = LOAD(doing);
    char digits[24] = "";
    if (n != SB_LIFE_PLAIN) snprintf(digits, sizeof digits, " %" PRIu64, n);
    snprintf(l.where, sizeof l.where, "%s%s%s%s", place, digits,
             *what ? ", " : "", what);
    return l;
}

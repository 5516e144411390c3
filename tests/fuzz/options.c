/* SPDX-License-Identifier: MIT
 * options.c - a command line: the first byte is the subcommand, each line an
 * argument. All that is accepted can be asked for. */
#include "launch/options.h"

#include "comm/base/mem.h"
#include "tests/fuzz/fuzz.h"

enum { ARGS_MAX = 64, PHASES = 11 };

static void ask_all(const sb_config *c)
{
    const char *const *items;
    for (size_t i = 0; i < sb_options_n; i++) {
        const sb_option *o = &sb_options[i];
        const char *text = sb_config_text(c, o->name);
        if (o->type == SB_OPT_BOOL) (void)sb_config_bool(c, o->name);
        if (o->type == SB_OPT_LIST) sb_config_list(c, o->name, &items);
        if (!text) continue;
        double v = 0;
        if (o->type == SB_OPT_INT || o->type == SB_OPT_SIZE)
            v = (double)sb_config_int(c, o->name);
        if (o->type == SB_OPT_REAL) v = sb_config_real(c, o->name);
        if (o->type == SB_OPT_INT || o->type == SB_OPT_SIZE ||
            o->type == SB_OPT_REAL)
            HOLDS(v >= o->min && v <= o->max);
    }
}

/* What was set is the same when it is written down and read as a recipe. */
static void same_as_recipe(const sb_config *c, unsigned phase)
{
    sb_config *again;
    char *text = sb_config_effective(c, phase);
    HOLDS(text);
    HOLDS(sb_config_open(sb_options, sb_options_n, &again) == SB_OK);
    HOLDS(sb_config_parse(again, text, "recipe") == SB_OK);
    char *same = sb_config_effective(again, phase);
    HOLDS(same && strcmp(text, same) == 0);
    sb_free(text);
    sb_free(same);
    sb_config_close(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_input in = {data, n};
    unsigned phase = 1u << fuzz_byte(&in) % PHASES;
    char *text = fuzz_text(&in), *arg[ARGS_MAX];
    int args = 0;
    sb_config *c;
    for (char *at = text; at && args < ARGS_MAX; args++) {
        arg[args] = at;
        at = strchr(at, '\n');
        if (at) *at++ = 0;
    }
    HOLDS(sb_config_open(sb_options, sb_options_n, &c) == SB_OK);
    if (sb_config_args(c, phase, args, arg) == SB_OK) {
        ask_all(c);
        for (size_t i = 0; i < sb_config_words(c); i++)
            HOLDS(sb_config_word(c, i));
        same_as_recipe(c, phase);
    }
    sb_config_close(c);
    free(text);
    return 0;
}

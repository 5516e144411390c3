/* SPDX-License-Identifier: MIT
 * json.c - a line of JSON, in each of its forms. The first byte says which. */
#include "dataset/json_record.h"
#include "tests/fuzz/fuzz.h"

static sb_json_reader *reader[3];

static sb_json_reader *open_form(int form)
{
    if (!reader[form])
        HOLDS(sb_json_open((sb_json_form)form, form ? NULL : "a.text",
                           &reader[form]) == SB_OK);
    return reader[form];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_input in = {data, n};
    sb_json_reader *r = open_form(fuzz_byte(&in) % 3);
    sb_record rec = {.offset = 7};
    char *line = fuzz_text(&in);
    HOLDS(sb_json_parse(r, line, in.left, &rec) == SB_OK);
    free(line);
    HOLDS(rec.offset == 7);
    if (rec.verdict != SB_GOOD) {
        HOLDS(rec.why);
        return 0;
    }
    int ink = 0;
    for (size_t i = 0; i < rec.bytes; i++) ink |= sb_is_ink(rec.text[i]);
    HOLDS(ink);
    return 0;
}

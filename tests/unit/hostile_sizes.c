/* SPDX-License-Identifier: MIT
 * hostile_sizes.c - files of a few MiB that would take a thousand times their
 * size to understand are refused for what they are, in little memory: a limit
 * on the address space would make it SB_ENOMEM. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/resource.h>

#include "dataset/manifest.h"
#include "dataset/tokenizer_files.h"
#include "proto/codec.h"
#include "tests/unit/made_source.h"

/* What the process has, and this much more. */
#define ROOM ((size_t)768 << 20)

static int up(void **state)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    struct rlimit l = {0, RLIM_INFINITY};
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    if (!f || fscanf(f, "%lu", &pages) != 1) return -1;
    fclose(f);
    l.rlim_cur = pages * (size_t)sysconf(_SC_PAGESIZE) + ROOM;
    if (setrlimit(RLIMIT_AS, &l) != 0) return -1;
#endif
    return set_up(state);
}

/* before, `item` n times, behind; a NUL after it. */
static char *repeated(const char *before, const char *item, size_t n,
                      const char *behind, size_t *bytes_out)
{
    size_t k = strlen(item), at = strlen(before);
    char *text = malloc(at + n * k + strlen(behind) + 1);
    assert_non_null(text);
    memcpy(text, before, at);
    for (size_t i = 0; i < n; i++, at += k) memcpy(text + at, item, k);
    strcpy(text + at, behind);
    *bytes_out = at + strlen(behind);
    return text;
}

static sb_status manifest_status(const char *before, const char *item, size_t n,
                                 const char *behind)
{
    size_t bytes;
    char *text = repeated(before, item, n, behind, &bytes);
    put("corpus.json", text, bytes);
    free(text);
    sb_manifest *m = calloc(1, sizeof *m);
    assert_non_null(m);
    sb_status st = sb_manifest_read(folder, m);
    free(m);
    return st;
}

#define KNOWN                                                                  \
    "{\"format\":\"shardbert-corpus\",\"version\":%d,\"vocab_size\":9,"        \
    "\"vocab_hash\":\"0000000000000005\",\"input_identity\":"                  \
    "\"0000000000000005\",\"config\":\"\",\"sources\":["

static void a_manifest_of_millions_of_sources(void **state)
{
    (void)state;
    char begin[256];
    sb_status st = SB_EVERSION;
    for (int version = 1; version < 100 && st == SB_EVERSION; version++) {
        snprintf(begin, sizeof begin, KNOWN, version);
        st = manifest_status(begin, "1,", 2, "1],\"shards\":[]}");
        if (st != SB_EVERSION)
            st = manifest_status(begin, "1,", 2 << 20, "1],\"shards\":[]}");
    }
    assert_int_equal(st, SB_EFORMAT);
    assert_non_null(strstr(sb_error_last()->text, "too many"));
}

static void brackets_and_nothing_else(void **state)
{
    (void)state;
    enum { PAIRS = 1 << 20 };
    size_t bytes;
    sb_buffer out = {0};
    assert_int_equal(manifest_status("{\"a\":[", "{},", PAIRS, "{}]}"),
                     SB_EFORMAT);
    char *text = repeated("{\"a\":[", "{},", PAIRS, "{}]}", &bytes);
    assert_int_equal(sb_tokenizer_read(text, bytes, "t", &out), SB_EFORMAT);
    free(out.data);
    free(text);
}

/* Field 10 or 11 of a Manifest, of no bytes. */
static void a_checkpoint_of_empty_messages(void **state)
{
    (void)state;
    for (const char *field = "\x52\x5a"; *field; field++) {
        size_t n = 4 << 20;
        unsigned char *data = calloc(n, 2);
        ProtobufCMessage *m = NULL;
        assert_non_null(data);
        for (size_t i = 0; i < n; i++) data[2 * i] = (unsigned char)*field;
        assert_int_equal(sb_message_unpack(&shardbert__manifest__descriptor,
                                           data, 2 * n, "m", "a manifest",
                                           SB_EFORMAT, &m),
                         SB_EFORMAT);
        assert_non_null(strstr(sb_error_last()->text, "too much"));
        assert_null(m);
        free(data);
    }
}

/* The shortest ranges that a writer can make, of which there are most. */
static void the_most_that_a_writer_can_say_is_read(void **state)
{
    (void)state;
    enum { RANGES = 200000 };
    Shardbert__Manifest m = SHARDBERT__MANIFEST__INIT;
    Shardbert__Part part = SHARDBERT__PART__INIT, *parts = &part;
    Shardbert__Range *range = calloc(RANGES, sizeof *range);
    Shardbert__Range **list = calloc(RANGES, sizeof *list);
    assert_true(range && list);
    for (size_t i = 0; i < RANGES; i++) {
        shardbert__range__init(&range[i]);
        range[i].n = range[i].bytes = range[i].crc = 1;
        list[i] = &range[i];
    }
    part.n_range = RANGES;
    part.range = list;
    m.n_part = 1;
    m.part = &parts;
    size_t bytes = shardbert__manifest__get_packed_size(&m);
    uint8_t *data = malloc(bytes);
    assert_non_null(data);
    shardbert__manifest__pack(&m, data);
    ProtobufCMessage *back;
    assert_int_equal(sb_message_unpack(&shardbert__manifest__descriptor, data,
                                       bytes, "m", "a manifest", SB_EFORMAT,
                                       &back),
                     SB_OK);
    protobuf_c_message_free_unpacked(back, NULL);
    free(data);
    free(list);
    free(range);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_manifest_of_millions_of_sources),
        cmocka_unit_test(brackets_and_nothing_else),
        cmocka_unit_test(a_checkpoint_of_empty_messages),
        cmocka_unit_test(the_most_that_a_writer_can_say_is_read),
    };
    return cmocka_run_group_tests(tests, up, tear_down);
}

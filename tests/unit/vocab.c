/* SPDX-License-Identifier: MIT
 * vocab.c - pieces, ids and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "dataset/vocab.h"

#define SPECIAL "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"

static sb_vocab *parse(const char *text)
{
    sb_vocab *v = NULL;
    assert_int_equal(sb_vocab_parse(text, strlen(text), "t", &v), SB_OK);
    return v;
}

static void refused(const char *text, size_t n, const char *why)
{
    sb_vocab *v = NULL;
    assert_int_equal(sb_vocab_parse(text, n, "t", &v), SB_EFORMAT);
    assert_null(v);
    assert_non_null(strstr(sb_error_last()->text, why));
}

#define REFUSED(text, why) refused((text), sizeof(text) - 1, (why))

static uint32_t find(const sb_vocab *v, const char *piece, int continued)
{
    return sb_vocab_find(v, piece, strlen(piece), continued);
}

static void the_line_is_the_id(void **state)
{
    (void)state;
    sb_vocab *v = parse(SPECIAL "a\n##a\nab\n##\n#\n");
    assert_int_equal(sb_vocab_size(v), 10);
    assert_int_equal(find(v, "a", 0), 5);
    assert_int_equal(find(v, "a", 1), 6);
    assert_int_equal(find(v, "##a", 0), 6);
    assert_int_equal(find(v, "ab", 0), 7);
    assert_int_equal(find(v, "ab", 1), SB_NO_ID);
    assert_int_equal(find(v, "##", 0), 8);
    assert_int_equal(find(v, "", 1), 8);
    assert_int_equal(find(v, "#", 0), 9);
    assert_int_equal(find(v, "#", 1), SB_NO_ID);
    assert_int_equal(find(v, "", 0), SB_NO_ID);
    assert_int_equal(find(v, "a longer piece than any", 0), SB_NO_ID);
    for (uint32_t id = 0; id < sb_vocab_size(v); id++)
        assert_int_equal(find(v, sb_vocab_piece(v, id), 0), id);
    sb_vocab_close(v);
}

static void special_tokens_may_stand_anywhere(void **state)
{
    (void)state;
    sb_vocab *v = parse("x\n[MASK]\n[SEP]\ny\n[PAD]\n[CLS]\n[UNK]");
    sb_special_ids s = sb_vocab_special(v);
    assert_int_equal(s.mask, 1);
    assert_int_equal(s.sep, 2);
    assert_int_equal(s.pad, 4);
    assert_int_equal(s.cls, 5);
    assert_int_equal(s.unk, 6);
    assert_true(sb_vocab_is_special(v, 4));
    assert_false(sb_vocab_is_special(v, 0));
    assert_false(sb_vocab_is_special(v, 3));
    sb_vocab_close(v);
}

static void a_last_newline_and_carriage_returns_do_not_matter(void **state)
{
    (void)state;
    sb_vocab *v = parse("[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n[MASK]\r\nz\r\n");
    assert_int_equal(sb_vocab_size(v), 6);
    assert_int_equal(find(v, "z", 0), 5);
    sb_vocab_close(v);
    v = parse(SPECIAL "z");
    assert_int_equal(sb_vocab_size(v), 6);
    assert_int_equal(find(v, "z", 0), 5);
    sb_vocab_close(v);
}

static void damaged_vocabularies_are_refused_with_the_line(void **state)
{
    (void)state;
    REFUSED("", "[PAD]");
    REFUSED("[PAD]\n[UNK]\n[CLS]\n[SEP]\n", "[MASK]");
    REFUSED(SPECIAL "a\n\nb\n", "line 7: empty");
    REFUSED(SPECIAL "\r\n", "line 6: empty");
    REFUSED(SPECIAL "a\rb\n", "line 6: a carriage return");
    REFUSED(SPECIAL "a\r\r\n", "line 6: a carriage return");
    REFUSED(SPECIAL "a\nb\na\n", "line 8: 'a' is on line 6");
    REFUSED(SPECIAL "##a\n##a\n", "line 7: '##a' is on line 6");
    REFUSED(SPECIAL "a\xff\n", "line 6: not UTF-8");
    REFUSED(SPECIAL "a\0b\n", "line 6: not UTF-8");
}

static void too_large_a_text_is_refused(void **state)
{
    (void)state;
    sb_vocab *v = NULL;
    size_t n = (size_t)1 << 25, most = (size_t)1 << 30;
    char *text = malloc(n);
    assert_non_null(text);
    memset(text, '\n', n);
    assert_int_equal(sb_vocab_parse(text, n, "t", &v), SB_ELIMIT);
    /* the size is looked at before the text is */
    assert_int_equal(sb_vocab_parse(text, most + 1, "t", &v), SB_ELIMIT);
    assert_null(v);
    free(text);
}

static void many_pieces_are_all_found(void **state)
{
    (void)state;
    enum { N = 50000 };
    char *text = malloc(N * 12 + 64);
    assert_non_null(text);
    char *to = text + sprintf(text, SPECIAL);
    for (int i = 0; i < N; i++) to += sprintf(to, i % 2 ? "##%d\n" : "%d\n", i);
    sb_vocab *v = parse(text);
    for (uint32_t i = 0; i < N; i++) {
        char piece[16];
        sprintf(piece, "%u", i);
        assert_int_equal(find(v, piece, i % 2 != 0), i + 5);
        assert_int_equal(find(v, piece, i % 2 == 0), SB_NO_ID);
    }
    assert_true(sb_vocab_hash(v) == sb_hash64(text, strlen(text)));
    sb_vocab_close(v);
    free(text);
}

static void a_file_loads_like_its_text(void **state)
{
    (void)state;
    char path[] = "/tmp/sb-vocab-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char text[] = SPECIAL "hello\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    sb_vocab *v = NULL;
    assert_int_equal(sb_vocab_load(path, &v), SB_OK);
    assert_int_equal(find(v, "hello", 0), 5);
    assert_true(sb_vocab_hash(v) == sb_hash64(text, sizeof text - 1));
    sb_vocab_close(v);
    unlink(path);
    v = NULL;
    assert_int_not_equal(sb_vocab_load(path, &v), SB_OK);
    assert_null(v);
    assert_non_null(strstr(sb_error_last()->text, path));
}

/* Corpora and checkpoints hold the hash: they refuse what has another one. */
static void no_damage_gives_the_same_hash(void **state)
{
    (void)state;
    static const char whole[] = SPECIAL "a\n##a\nab\ncaf\xc3\xa9\n##\n";
    enum { N = sizeof whole - 1 };
    sb_vocab *v = parse(whole);
    uint64_t hash = sb_vocab_hash(v);
    sb_vocab_close(v);
    for (size_t i = 0; i < 9 * N; i++) {
        char text[N];
        memcpy(text, whole, N);
        text[i / 9] = (char)(text[i / 9] ^ (i % 9 < 8 ? 1 << i % 9 : 0xff));
        sb_status st = sb_vocab_parse(text, N, "t", &v);
        if (st == SB_EFORMAT) continue;
        assert_int_equal(st, SB_OK);
        if (sb_vocab_hash(v) == hash) fail_msg("byte %zu", i / 9);
        sb_vocab_close(v);
    }
    for (size_t n = 0; n + 1 < N; n++) { /* but the last line's end */
        sb_status st = sb_vocab_parse(whole, n, "t", &v);
        if (st == SB_EFORMAT) continue;
        assert_int_equal(st, SB_OK);
        if (sb_vocab_hash(v) == hash) fail_msg("%zu bytes", n);
        sb_vocab_close(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_is_the_id),
        cmocka_unit_test(special_tokens_may_stand_anywhere),
        cmocka_unit_test(a_last_newline_and_carriage_returns_do_not_matter),
        cmocka_unit_test(damaged_vocabularies_are_refused_with_the_line),
        cmocka_unit_test(too_large_a_text_is_refused),
        cmocka_unit_test(many_pieces_are_all_found),
        cmocka_unit_test(a_file_loads_like_its_text),
        cmocka_unit_test(no_damage_gives_the_same_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

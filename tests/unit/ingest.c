/* SPDX-License-Identifier: MIT
 * ingest.c - what units become: their documents, numbers and records. How they
 * are cut into blocks is in ingest_blocks.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "comm/base/hash.h"
#include "dataset/unit_files.h"
#include "tests/unit/made_ingest.h"

/* Three files of documents of 1 to 20 words, a line each; a word in six is
 * unknown. */
static void put_many(void)
{
    static const char *const names[] = {"1.txt", "2.txt", "3.txt"};
    uint32_t x = 1;
    for (int f = 0; f < 3; f++) {
        sb_buffer b = {0};
        for (int line = 0; line < 1000; line++) {
            x = x * 1664525u + 1013904223u;
            for (uint32_t k = 0, words = 1 + (x >> 16) % 20; k < words; k++) {
                x = x * 1664525u + 1013904223u;
                char word[] = {k ? ' ' : '\n', (char)('a' + (x >> 20) % 12), 0};
                add_text(&b, word + (b.n == 0));
            }
        }
        put(names[f], b.data, b.n);
        sb_free(b.data);
    }
}

/* What *.txt should become, line by line: documents whose hash is below
 * `border`, or the others. */
static void expect_lines(sb_split split, uint64_t border)
{
    static const char *const names[] = {"1.txt", "2.txt", "3.txt"};
    sb_buffer want = {0};
    for (int f = 0; f < 3; f++) {
        char *path = sb_path_join(folder, names[f]), *text;
        size_t n;
        assert_int_equal(sb_file_read(path, 1 << 20, &text, &n), SB_OK);
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
            if ((sb_hash64(line, strlen(line)) < border) !=
                (split == SB_HELDOUT))
                continue;
            for (char *p = line; *p; p++) {
                char letter[] = {*p, 0};
                add_text(&want, *p > 'j' ? "[UNK]" : letter);
            }
            add_text(&want, "|");
        }
        sb_free(text);
        sb_free(path);
    }
    assert_int_equal(sb_buffer_add(&want, "", 1), SB_OK);
    expect_split(split, want.data);
    sb_free(want.data);
}

static void lines_become_sentences_and_documents_stay_whole(void **state)
{
    (void)state;
    sb_source_stats s;
    put_text("1.txt", "a b\n\n \nc d\n\x01\ne");
    put_text("2.txt", "f\r\ng h\r\n");
    up_sources(SB_DOC_FILE, 0);
    ingest_all(usual(), &s);
    expect_split(SB_TRAIN, "a b/c d/e|f/g h|");
    expect_split(SB_HELDOUT, "");
    assert_int_equal(s.documents, 2);
    up_sources(SB_DOC_LINE, 0);
    ingest_all(usual(), &s);
    expect_split(SB_TRAIN, "a b|c d|e|f|g h|");
}

static void documents_are_held_out_by_their_hash(void **state)
{
    (void)state;
    sb_source_stats s;
    sb_ingest_options o;
    put_many();
    up_sources(SB_DOC_LINE, 0);
    static const double shares[] = {0, 0.25, 0.5};
    for (int i = 0; i < 3; i++) {
        o = usual();
        o.held_out = shares[i];
        ingest_all(o, &s);
        uint64_t border = (uint64_t)(shares[i] * 0x1p64);
        expect_lines(SB_TRAIN, border);
        expect_lines(SB_HELDOUT, border);
        assert_int_equal(s.documents, 3000);
        assert_in_range(s.heldout, i ? 3000 * i / 4 - 130 : 0,
                        3000 * i / 4 + 130);
        content held = read_split(SB_HELDOUT);
        assert_int_equal(held.documents, s.heldout);
        free_content(&held);
    }
}

/* All files of a folder are those of another, byte by byte. */
static void expect_equal_folders(const char *a, const char *b)
{
    char **name[2];
    size_t n[2];
    assert_int_equal(sb_dir_list(a, &name[0], &n[0]), SB_OK);
    assert_int_equal(sb_dir_list(b, &name[1], &n[1]), SB_OK);
    assert_int_equal(n[0], n[1]);
    for (size_t i = 0; i < n[0]; i++) {
        assert_string_equal(name[0][i], name[1][i]);
        char *path[] = {sb_path_join(a, name[0][i]),
                        sb_path_join(b, name[1][i])};
        char *data[2];
        size_t bytes[2];
        for (int k = 0; k < 2; k++)
            assert_int_equal(
                sb_file_read(path[k], 1 << 26, &data[k], &bytes[k]), SB_OK);
        assert_int_equal(bytes[0], bytes[1]);
        assert_memory_equal(data[0], data[1], bytes[0]);
        for (int k = 0; k < 2; k++) {
            sb_free(path[k]);
            sb_free(data[k]);
        }
    }
    sb_names_free(name[0], n[0]);
    sb_names_free(name[1], n[1]);
}

/* In any order, by several or one, once or again. */
static void two_ingests_give_the_same_bytes(void **state)
{
    (void)state;
    char *other = sb_path_join(folder, "other");
    sb_source_stats s;
    put_many();
    up_sources(SB_DOC_LINE, 7000);
    size_t units = sb_sources_units(sources);
    assert_true(units > 6);
    sb_ingest_options o = usual();
    o.held_out = 0.2;
    ingest_all(o, &s);
    o.dir = other;
    assert_int_equal(sb_dir_make(other), SB_OK);
    sb_ingest *g = open_ingest(o), *h = open_ingest(o);
    for (size_t u = units; u-- > 0;) {
        assert_int_equal(sb_ingest_unit(u % 3 ? g : h, u), SB_OK);
        if (u % 4 == 0) assert_int_equal(sb_ingest_unit(g, u), SB_OK);
    }
    sb_ingest_close(g);
    sb_ingest_close(h);
    expect_equal_folders(corpus, other);
    sb_free(other);
}

static void numbers_add_up(void **state)
{
    (void)state;
    static const char text[] = "a b\nzz c zz\n\x01\nd\n\xff"
                               "e\nf g h\n\xfe\n\n\ni\n";
    sb_source_stats s;
    char *place = sb_format("%s/1.txt:16: not UTF-8 at its byte 0", folder);
    put_text("1.txt", text);
    for (uint64_t unit = 0; unit < 40; unit += 5) {
        up_sources(SB_DOC_LINE, unit);
        ingest_all(usual(), &s);
        assert_int_equal(s.documents, 5);
        assert_int_equal(s.heldout, 0);
        assert_int_equal(s.text_bytes, 3 + 7 + 1 + 5 + 1);
        assert_int_equal(s.tokens, 2 + 3 + 1 + 3 + 1);
        assert_int_equal(s.unknown, 2);
        assert_int_equal(s.dropped, 0);
        assert_int_equal(s.skipped, 1);
        assert_int_equal(s.bad, 2);
        assert_string_equal(s.first_bad, place);
        assert_int_equal(s.length[0], 2);
        assert_int_equal(s.length[1], 3);
        assert_int_equal(s.length[2], 0);
        expect_split(SB_TRAIN, "a b|[UNK] c [UNK]|d|f g h|i|");
    }
    sb_free(place);
}

static void numbers_and_counts_are_those_of_the_shards(void **state)
{
    (void)state;
    enum { V = 15 };
    sb_source_stats s;
    put_many();
    up_sources(SB_DOC_LINE, 10000);
    sb_ingest_options o = usual();
    o.held_out = 0.3;
    ingest_all(o, &s);
    content train = read_split(SB_TRAIN), held = read_split(SB_HELDOUT);
    uint64_t in_train[V] = {0}, unknown = 0, sum = 0, counts[V] = {0};
    for (size_t i = 0; i < train.ids.n; i++) in_train[train.ids.id[i]]++;
    for (size_t i = 0; i < held.ids.n; i++) unknown += held.ids.id[i] == 1;
    assert_int_equal(s.tokens, train.ids.n + held.ids.n);
    assert_int_equal(s.documents, train.documents + held.documents);
    assert_int_equal(s.heldout, held.documents);
    assert_int_equal(s.unknown, in_train[1] + unknown);
    for (int i = 0; i < SB_LENGTHS; i++) sum += s.length[i];
    assert_int_equal(sum, s.documents);
    sb_ingest *g = open_ingest(o);
    for (size_t u = 0; u < sb_sources_units(sources); u++)
        assert_int_equal(sb_ingest_add_counts(g, u, counts), SB_OK);
    assert_memory_equal(counts, in_train, sizeof counts);
    assert_int_equal(sb_unit_remove(corpus, 1, "counts"), SB_OK);
    assert_int_equal(sb_ingest_add_counts(g, 1, counts), SB_EIO);
    sb_ingest_close(g);
    free_content(&train);
    free_content(&held);
}

static void put_drops(uint64_t made_from)
{
    static const uint64_t drop[] = {0, 2, 3};
    assert_int_equal(
        sb_unit_put(corpus, 0, "drop", made_from, drop, sizeof drop), SB_OK);
}

static void dropped_documents_are_left_out(void **state)
{
    (void)state;
    sb_source_stats s;
    put_text("1.txt",
             "a\nb\n\n\xff\na\nc\nd\n"); /* what is bad has no number */
    up_sources(SB_DOC_LINE, 0);
    sb_ingest_options o = usual();
    put_drops(sb_unit_identity(sources, 0));
    ingest_all(o, &s); /* nobody asked for it */
    expect_split(SB_TRAIN, "a|b|a|c|d|");
    assert_int_equal(s.dropped, 0);
    o.drop = 1;
    ingest_all(o, &s);
    expect_split(SB_TRAIN, "b|d|");
    assert_int_equal(s.dropped, 3);
    assert_int_equal(s.documents, 2);
    assert_int_equal(s.text_bytes, 2);
    put_drops(sb_unit_identity(sources, 0) + 1); /* a list of another input */
    ingest_all(o, &s);
    expect_split(SB_TRAIN, "a|b|a|c|d|");
}

/* Is unit 0 done, as these options ask for? */
static int is_done(sb_ingest_options o)
{
    sb_source_stats s;
    int done = -1;
    sb_ingest *g = open_ingest(o);
    assert_int_equal(sb_ingest_done(g, 0, &done, &s), SB_OK);
    sb_ingest_close(g);
    return done;
}

static void done_means_with_these_options_from_this_input(void **state)
{
    (void)state;
    sb_source_stats s;
    put_text("1.txt", "a\nb\n");
    up_sources(SB_DOC_LINE, 0);
    sb_ingest_options o = usual(), other = o;
    assert_false(is_done(o));
    ingest_all(o, &s);
    assert_true(is_done(o));
    other.held_out = 0.1;
    assert_false(is_done(other));
    other = o;
    other.block_tokens++;
    assert_false(is_done(other));
    sb_vocab *more;
    static const char pieces[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n";
    assert_int_equal(sb_vocab_parse(pieces, sizeof pieces - 1, "v", &more),
                     SB_OK);
    other = o;
    other.vocab = more;
    assert_false(is_done(other));
    sb_vocab_close(more);
    other = o;
    char *shard = shard_of(corpus, SB_TRAIN, 0);
    char *away = sb_format("%s.away", shard);
    assert_int_equal(sb_rename(shard, away), SB_OK);
    assert_false(is_done(o)); /* without its shard */
    assert_int_equal(sb_rename(away, shard), SB_OK);
    sb_free(shard);
    sb_free(away);
    other.drop = 1;
    assert_true(is_done(other)); /* an empty list is none */
    put_drops(sb_unit_identity(sources, 0));
    assert_false(is_done(other));
    assert_true(is_done(o));
    put_text("1.txt", "a\nb\nc\n");
    up_sources(SB_DOC_LINE, 0);
    assert_false(is_done(usual()));
}

static void a_damaged_mark_is_an_error(void **state)
{
    (void)state;
    sb_source_stats s;
    char *path = sb_path_join(corpus, "unit-00000.done");
    int done;
    put_text("1.txt", "a\n");
    up_sources(SB_DOC_LINE, 0);
    ingest_all(usual(), &s);
    assert_int_equal(sb_file_write(path, "junk", 4), SB_OK);
    sb_ingest *g = open_ingest(usual());
    assert_int_equal(sb_ingest_done(g, 0, &done, &s), SB_EFORMAT);
    assert_int_equal(sb_ingest_unit(g, 0), SB_OK); /* takes it away */
    assert_int_equal(sb_ingest_done(g, 0, &done, &s), SB_OK);
    assert_true(done);
    sb_ingest_close(g);
    sb_free(path);
}

static void expect_no_shard(void)
{
    char **name;
    size_t n;
    assert_int_equal(sb_dir_list(corpus, &name, &n), SB_OK);
    for (size_t i = 0; i < n; i++) assert_null(strstr(name[i], ".mdb"));
    sb_names_free(name, n);
}

/* The second time the unit was done before, with other options: that it is
 * stopped must not leave the old mark without its shards. */
static void a_stop_leaves_no_shard_and_no_mark(void **state)
{
    (void)state;
    sb_source_stats s;
    put_many();
    up_sources(SB_DOC_LINE, 0);
    sb_ingest_options o = usual(), before = o;
    before.block_tokens = 2048;
    for (int again = 0; again < 2; again++) {
        sb_ingest *g = open_ingest(o);
        documents_left = 1500;
        assert_int_equal(sb_ingest_unit(g, 0), SB_ESTOP);
        expect_no_shard();
        assert_false(is_done(o));
        assert_false(is_done(before));
        documents_left = -1;
        assert_int_equal(sb_ingest_unit(g, 0), SB_OK); /* with the same g */
        expect_lines(SB_TRAIN, 0);
        sb_ingest_close(g);
        ingest_all(before, &s);
        assert_true(is_done(before));
    }
}

/* Every rename there is: two shards, then the three records. */
static void a_failure_at_any_step_leaves_the_unit_to_be_done_anew(void **state)
{
    (void)state;
    sb_source_stats s;
    put_many();
    up_sources(SB_DOC_LINE, 0);
    sb_ingest_options o = usual();
    o.held_out = 0.5;
    for (int step = 1, calls = 0; step <= 5; step++) {
        char fault[24];
        calls += step; /* they are counted through */
        snprintf(fault, sizeof fault, "rename:%d", calls);
        sb_ingest *g = open_ingest(o);
        setenv("SB_FAULT", fault, 1);
        sb_status st = sb_ingest_unit(g, 0);
        unsetenv("SB_FAULT");
        sb_ingest_close(g);
        assert_int_equal(st, SB_EIO);
        assert_false(is_done(o));
    }
    ingest_all(o, &s);
    assert_true(is_done(o));
    expect_lines(SB_TRAIN, UINT64_C(1) << 63);
    expect_lines(SB_HELDOUT, UINT64_C(1) << 63);
}

static void hashes_are_the_same_whoever_writes_them(void **state)
{
    (void)state;
    sb_source_stats s;
    void *data;
    size_t bytes;
    char *was, *is, *path = sb_path_join(corpus, "unit-00000.hash");
    size_t n_was, n_is;
    put_text("1.txt", "a b\n\xff\n\x01\nc\na b\n");
    up_sources(SB_DOC_LINE, 0);
    sb_ingest *g = open_ingest(usual());
    assert_int_equal(sb_ingest_hash(g, 0), SB_OK);
    expect_no_shard();
    assert_false(is_done(usual()));
    assert_int_equal(sb_file_read(path, 1 << 20, &was, &n_was), SB_OK);
    assert_int_equal(sb_unit_get(corpus, 0, "hash",
                                 sb_unit_identity(sources, 0), 8, &data,
                                 &bytes),
                     SB_OK);
    const uint64_t want[] = {sb_hash64("a b", 3), sb_hash64("\x01", 1),
                             sb_hash64("c", 1), sb_hash64("a b", 3)};
    assert_int_equal(bytes, sizeof want);
    assert_memory_equal(data, want, sizeof want);
    sb_free(data);
    documents_left = 0; /* done before: nothing is read */
    assert_int_equal(sb_ingest_hash(g, 0), SB_OK);
    documents_left = -1;
    sb_ingest_close(g);
    ingest_all(usual(), &s);
    assert_int_equal(sb_file_read(path, 1 << 20, &is, &n_is), SB_OK);
    assert_int_equal(n_is, n_was);
    assert_memory_equal(is, was, n_is);
    sb_free(was);
    sb_free(is);
    sb_free(path);
}

static void a_unit_without_documents_is_done_and_has_no_shard(void **state)
{
    (void)state;
    sb_source_stats s;
    put_text("1.txt", "\n \n\x01\n\n");
    up_sources(SB_DOC_LINE, 0);
    assert_int_equal(sb_sources_units(sources), 1);
    ingest_all(usual(), &s);
    assert_int_equal(s.documents + s.tokens, 0);
    assert_int_equal(s.skipped, 1);
    assert_true(is_done(usual()));
    expect_no_shard();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
        T(lines_become_sentences_and_documents_stay_whole),
        T(documents_are_held_out_by_their_hash),
        T(two_ingests_give_the_same_bytes),
        T(numbers_add_up),
        T(numbers_and_counts_are_those_of_the_shards),
        T(dropped_documents_are_left_out),
        T(done_means_with_these_options_from_this_input),
        T(a_damaged_mark_is_an_error),
        T(a_stop_leaves_no_shard_and_no_mark),
        T(a_failure_at_any_step_leaves_the_unit_to_be_done_anew),
        T(hashes_are_the_same_whoever_writes_them),
        T(a_unit_without_documents_is_done_and_has_no_shard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT
 * safetensors.c - tests of dataset/safetensors*.c: what is written is read,
 * other writers' files are, and each kind of nonsense is named. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/safetensors.h"

static char folder[] = "/tmp/sb-safetensors-XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/x.safetensors", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return sb_dir_remove(folder) == SB_OK ? 0 : -1;
}

/* A file of this header, and `data` bytes that count up. `length` NULL: the
 * header's own. */
static void put(const char *header, size_t n, const uint64_t *length,
                size_t data)
{
    FILE *f = fopen(path, "wb");
    uint64_t own = n;
    assert_non_null(f);
    assert_int_equal(fwrite(length ? length : &own, 8, 1, f), 1);
    assert_int_equal(fwrite(header, 1, n, f), n);
    for (size_t i = 0; i < data; i++) fputc((int)(i % 64), f);
    assert_int_equal(fclose(f), 0);
}

static sb_status open_text(const char *header, size_t data, sb_safetensors **f)
{
    put(header, strlen(header), NULL, data);
    return sb_safetensors_open(path, f);
}

static void takes(const char *header, size_t data)
{
    sb_safetensors *f;
    if (open_text(header, data, &f) != SB_OK)
        fail_msg("%s: %s", header, sb_error_last()->text);
    sb_safetensors_close(f);
}

static void says(sb_status st, sb_status want, const char *why)
{
    if (st != want || !strstr(sb_error_last()->text, why))
        fail_msg("%d '%s' does not say '%s'", st, sb_error_last()->text, why);
}

static void refuses(const char *header, size_t data, const char *why)
{
    sb_safetensors *f;
    says(open_text(header, data, &f), SB_EFORMAT, why);
}

/* ---- good files ---------------------------------------------------------- */

static const sb_to_store two[] = {{"a.weight", 2, {2, 3}}, {"b", 1, {2}}};
static const float values[8] = {1, -2, 3.5f, 0, -0.0f, 1e-40f, 7, 3e38f};

static void write_two(void)
{
    sb_safetensors_out *o;
    unlink(path);
    assert_int_equal(sb_safetensors_create(path, two, 2, &o), SB_OK);
    sb_safetensors_put(o, values, 5);
    sb_safetensors_put(o, values + 5, 3);
    assert_int_equal(sb_safetensors_finish(o), SB_OK);
}

static void what_is_written_are_the_bytes_of_the_formats_own_writer(void **s)
{
    (void)s;
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},\"a.weight\":{\"dtype\":\"F32\","
        "\"shape\":[2,3],\"data_offsets\":[0,24]},\"b\":{\"dtype\":\"F32\","
        "\"shape\":[2],\"data_offsets\":[24,32]}}  ";
    char *text;
    size_t n, h = sizeof header - 1;
    uint64_t length;
    write_two();
    assert_int_equal(sb_file_read(path, 1 << 16, &text, &n), SB_OK);
    memcpy(&length, text, 8);
    assert_int_equal(length, h);
    assert_int_equal(length % 8, 0);
    assert_memory_equal(text + 8, header, h);
    assert_int_equal(n, 8 + h + sizeof values);
    assert_memory_equal(text + 8 + h, values, sizeof values);
    sb_free(text);
}

static void what_is_written_is_read(void **s)
{
    (void)s;
    sb_safetensors *f;
    float x[8];
    write_two();
    assert_int_equal(sb_safetensors_open(path, &f), SB_OK);
    assert_int_equal(sb_safetensors_count(f), 2);
    const sb_stored *a = sb_safetensors_find(f, "a.weight"),
                    *b = sb_safetensors_find(f, "b");
    assert_ptr_equal(a, sb_safetensors_at(f, 0));
    assert_ptr_equal(b, sb_safetensors_at(f, 1));
    assert_null(sb_safetensors_find(f, "c"));
    assert_int_equal(a->ndim, 2);
    assert_int_equal(a->dim[1], 3);
    assert_int_equal(a->elements, 6);
    assert_int_equal(sb_safetensors_get(f, a, 0, 6, x), SB_OK);
    assert_int_equal(sb_safetensors_get(f, b, 0, 2, x + 6), SB_OK);
    assert_memory_equal(x, values, sizeof x);
    assert_int_equal(sb_safetensors_get(f, a, 4, 2, x), SB_OK);
    assert_memory_equal(x, values + 4, 2 * sizeof *x);
    says(sb_safetensors_get(f, a, 4, 3, x), SB_EINVAL, "it has 6");
    says(sb_safetensors_get(f, a, UINT64_MAX, 2, x), SB_EINVAL, "it has 6");
    sb_safetensors_close(f);
}

static void a_file_that_is_not_filled_or_is_there_is_not_written(void **s)
{
    (void)s;
    sb_safetensors_out *o;
    static const sb_to_store bad = {"a\"b", 1, {1}};
    static const sb_to_store huge[] = {{"a", 2, {1u << 31, 1u << 31}},
                                       {"b", 1, {1}}};
    unlink(path);
    assert_int_equal(sb_safetensors_create(path, two, 2, &o), SB_OK);
    sb_safetensors_put(o, values, 7);
    says(sb_safetensors_finish(o), SB_EBUG, "1 elements");
    says(sb_safetensors_create(path, two, 2, &o), SB_EIO, "exists");
    unlink(path);
    says(sb_safetensors_create(path, &bad, 1, &o), SB_EBUG, "no name");
    says(sb_safetensors_create(path, huge, 2, &o), SB_ELIMIT, "too large");
    assert_int_equal(sb_safetensors_create(path, two, 2, &o), SB_OK);
    sb_safetensors_abandon(o);
    assert_false(sb_file_exists(path));
}

static void halves_become_the_floats_that_they_are(void **s)
{
    (void)s;
    static const uint16_t half[] = {0x3c00, 0xc000, 0x0001, 0x83ff, 0x7bff,
                                    0x8000, 0x0400, 0x3555, 0x0200};
    static const float f16[] = {1,       -2,   0x1p-24f, -0x1.ff8p-15f,
                                65504,   -0.f, 0x1p-14f, 0x1.554p-2f,
                                0x1p-15f};
    static const uint16_t brain[] = {0x3f80, 0xc000, 0x0001, 0x7f7f};
    static const float bf16[] = {1, -2, 0x1p-133f, 0x1.fep127f};
    static const char header[] =
        "{\"h\":{\"shape\":[3,3],\"dtype\":\"F16\",\"data_offsets\":[0,18]},"
        "\"b\":{\"data_offsets\":[18,26],\"dtype\":\"BF16\",\"shape\":[4]}}";
    uint64_t n = sizeof header - 1;
    float x[9];
    FILE *out = fopen(path, "wb");
    fwrite(&n, 8, 1, out);
    fwrite(header, 1, n, out);
    fwrite(half, 2, 9, out);
    fwrite(brain, 2, 4, out);
    assert_int_equal(fclose(out), 0);
    sb_safetensors *f;
    assert_int_equal(sb_safetensors_open(path, &f), SB_OK);
    const sb_stored *t = sb_safetensors_find(f, "h");
    assert_int_equal(sb_safetensors_get(f, t, 0, 9, x), SB_OK);
    assert_memory_equal(x, f16, sizeof f16);
    assert_int_equal(sb_safetensors_get(f, t, 2, 3, x), SB_OK);
    assert_memory_equal(x, f16 + 2, 12);
    t = sb_safetensors_find(f, "b");
    assert_int_equal(sb_safetensors_get(f, t, 0, 4, x), SB_OK);
    assert_memory_equal(x, bf16, sizeof bf16);
    sb_safetensors_close(f);
}

#define A(shape, offsets)                                                      \
    "\"a\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define B(shape, offsets)                                                      \
    "\"b\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void what_other_writers_may_do_is_taken(void **s)
{
    (void)s;
    takes("{}", 0);
    takes("{ }   ", 0);
    takes("{\"__metadata__\":{}}", 0);
    takes("{\"__metadata__\":{\"k\\\"\\u00e9\\n\":\"{\\\\}\"}," A("[1]",
                                                                  "[0,4]") "}",
          4);
    takes("{" A("[]", "[0,4]") "}", 4); /* one number */
    takes("{" A("[0,9]", "[0,0]") "," B("[1]", "[0,4]") "}", 4);
    takes("{" B("[1]", "[4,8]") "," A("[1]", "[0,4]") "}", 8);
    takes("{ \"a\" :\t{ \"dtype\" : \"F32\" ,\n\"shape\" : [ 1 , 1 ] , "
          "\"data_offsets\" : [ 0 , 4 ] } }\r\n",
          4);
    takes("{\"\xc3\xbc\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":"
          "[0,8]}}",
          8);
    takes("{" A("[1,1,1,1,1,1,1,1]", "[0,4]") "}", 4);
}

/* ---- bad files ----------------------------------------------------------- */

static void a_header_that_is_no_such_json_is_refused(void **s)
{
    (void)s;
    refuses("", 0, "does not begin with '{'");
    refuses(" {}", 0, "does not begin with '{'");
    refuses("[]", 0, "does not begin with '{'");
    refuses("{", 0, "'\"' is missing");
    refuses("{}x", 0, "behind the end");
    refuses("{}{}", 0, "behind the end");
    refuses("{,}", 0, "'\"' is missing");
    refuses("{" A("[1]", "[0,4]") ",}", 4, "'\"' is missing");
    refuses("{" A("[1]", "[0,4]"), 4, "neither ',' nor the end");
    refuses("{\"a\"}", 0, "':' is missing");
    refuses("{\"a", 0, "does not end");
    refuses("{\"a\n\":1}", 0, "does not end");
    refuses("{\"a\\x\":1}", 0, "an escape that is none");
    refuses("{\"a\\u12g4\":1}", 0, "an escape that is none");
    refuses("{\"\\u0061\":{}}", 0, "an escape in the name");
    refuses("{\"a\":[]}", 0, "'{' is missing");
    refuses("{\"a\":{}}", 0, "'\"' is missing");
    refuses("{\"__metadata__\":{\"a\":1}}", 0, "'\"' is missing");
    refuses("{\"__metadata__\":{\"a\":{\"b\":\"c\"}}}", 0, "'\"' is missing");
    refuses("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "a second");
    refuses("{\"\xff\":{}}", 0, "not UTF-8");
    refuses("{\"\xed\xa0\x80\":{}}", 0, "not UTF-8");
    put("{\"a\0\":{}}", 10, NULL, 0);
    sb_safetensors *f;
    says(sb_safetensors_open(path, &f), SB_EFORMAT, "does not end");
    put("{}\0", 3, NULL, 0);
    says(sb_safetensors_open(path, &f), SB_EFORMAT, "behind the end");
}

static void a_tensor_has_its_three_keys_once(void **s)
{
    (void)s;
    refuses("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "without dtype");
    refuses("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4,
            "without dtype");
    refuses("{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
            "without dtype");
    refuses("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],"
            "\"data_offsets\":[0,4]}}",
            4, "a key that comes twice");
    refuses("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],"
            "\"device\":\"cpu\"}}",
            4, "a key that is not known");
    refuses(
        "{\"a\":{\"dtype\":\"FLOAT\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
        "a dtype that is not known");
    refuses("{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
            "'\"' is missing");
    refuses("{" A("[-1]", "[0,4]") "}", 4, "not a whole number");
    refuses("{" A("[1.0]", "[0,4]") "}", 4, "neither ',' nor the end");
    refuses("{" A("[1e3]", "[0,4]") "}", 4, "neither ',' nor the end");
    refuses("{" A("[01]", "[0,4]") "}", 4, "with zeros");
    refuses("{" A("[1,]", "[0,4]") "}", 4, "not a whole number");
    refuses("{" A("[\"1\"]", "[0,4]") "}", 4, "not a whole number");
    refuses("{" A("[null]", "[0,4]") "}", 4, "not a whole number");
    refuses("{" A("[[1]]", "[0,4]") "}", 4, "not a whole number");
    refuses("{" A("[1]", "[4]") "}", 4, "too short");
    refuses("{" A("[1]", "[0,4,4]") "}", 4, "too long");
    refuses("{" A("[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "too long");
}

static void shape_type_and_range_belong_together(void **s)
{
    (void)s;
    refuses("{" A("[2]", "[0,4]") "}", 4, "4 bytes where its shape");
    refuses("{" A("[1]", "[0,8]") "}", 8, "8 bytes where its shape");
    refuses("{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,4]}}",
            4, "ask for 2");
    refuses("{" A("[1]", "[4,0]") "}", 4, "said to lie in bytes 4 to 0 of 4");
    refuses("{" A("[1]", "[0,4]") "}", 3, "said to lie in bytes 0 to 4 of 3");
    refuses("{" A("[4294967296,4294967296]", "[0,0]") "}", 0, "more bytes");
    refuses("{" A("[4611686018427387904]", "[0,0]") "}", 0, "more bytes");
    refuses("{" A("[18446744073709551616]", "[0,0]") "}", 0, "beyond 2^64");
    refuses("{" A("[1]", "[0,99999999999999999999]") "}", 4, "beyond 2^64");
    refuses("{" A("[0]", "[18446744073709551615,18446744073709551615]") "}", 4,
            "said to lie");
}

static void ranges_leave_no_gap_and_do_not_overlap(void **s)
{
    (void)s;
    refuses("{" A("[1]", "[4,8]") "}", 8, "bytes 0 to 4 belong to no tensor");
    refuses("{" A("[1]", "[0,4]") "," B("[1]", "[8,12]") "}", 12,
            "bytes 4 to 8 belong to no tensor");
    refuses("{" A("[2]", "[0,8]") "," B("[1]", "[4,8]") "}", 8,
            "inside the tensor before it");
    refuses("{" A("[1]", "[0,4]") "," B("[1]", "[0,4]") "}", 4,
            "inside the tensor before it");
    refuses("{" A("[1]", "[0,4]") "}", 8, "4 bytes behind its last tensor");
    refuses("{}", 1, "1 bytes behind its last tensor");
    refuses("{" A("[1]", "[0,4]") "," A("[1]", "[0,4]") "}", 4,
            "two tensors called 'a'");
    refuses(
        "{" A("[1]", "[0,4]") "," B("[1]", "[4,8]") "," A("[1]", "[8,12]") "}",
        12, "two tensors called 'a'");
}

static void an_absurd_length_of_the_header_is_refused(void **s)
{
    (void)s;
    sb_safetensors *f;
    static const uint64_t length[] = {3, 1000, INT64_MAX, UINT64_MAX,
                                      UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof length / sizeof *length; i++) {
        put("{}", 2, &length[i], 0);
        says(sb_safetensors_open(path, &f), SB_EFORMAT, "names a header of");
    }
    uint64_t large = SB_SAFETENSORS_HEADER_MAX + 1;
    put("{}", 2, &large, 0);
    assert_int_equal(truncate(path, SB_SAFETENSORS_HEADER_MAX + 100), 0);
    says(sb_safetensors_open(path, &f), SB_ELIMIT, "more than the 100000000");
    for (int n = 0; n < 8; n++) {
        assert_int_equal(truncate(path, n), 0);
        says(sb_safetensors_open(path, &f), SB_EFORMAT, "no safetensors file");
    }
    unlink(path);
    says(sb_safetensors_open(path, &f), SB_ENOENT, "x.safetensors");
    says(sb_safetensors_open(folder, &f), SB_EIO, "is not a file");
}

static void too_many_tensors_are_refused(void **s)
{
    (void)s;
    size_t n = SB_SAFETENSORS_MAX + 1, at = 1, room = n * 64;
    char *header = malloc(room);
    header[0] = '{';
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(header + at, room - at,
                               "%s\"%zu\":{\"dtype\":\"U8\",\"shape\":[0],"
                               "\"data_offsets\":[0,0]}",
                               i ? "," : "", i);
    header[at++] = '}';
    sb_safetensors *f;
    put(header, at, NULL, 0);
    says(sb_safetensors_open(path, &f), SB_ELIMIT, "more than 65536 tensors");
    free(header);
}

static void values_that_are_no_finite_floats_are_refused(void **s)
{
    (void)s;
    sb_safetensors *f;
    float x[2];
    static const float bad[] = {1, 1.f / 0.f};
    sb_safetensors_out *o;
    sb_to_store t = {"t", 1, {2}};
    unlink(path);
    assert_int_equal(sb_safetensors_create(path, &t, 1, &o), SB_OK);
    sb_safetensors_put(o, bad, 2);
    assert_int_equal(sb_safetensors_finish(o), SB_OK);
    assert_int_equal(sb_safetensors_open(path, &f), SB_OK);
    says(sb_safetensors_get(f, sb_safetensors_at(f, 0), 0, 2, x), SB_EFORMAT,
         "value 1 of 't' is not finite");
    assert_int_equal(truncate(path, 8 + 80), 0);
    says(sb_safetensors_get(f, sb_safetensors_at(f, 0), 0, 2, x), SB_EFORMAT,
         "became shorter");
    sb_safetensors_close(f);
    assert_int_equal(open_text("{\"p\":{\"dtype\":\"I64\",\"shape\":[1],"
                               "\"data_offsets\":[0,8]}}",
                               8, &f),
                     SB_OK);
    says(sb_safetensors_get(f, sb_safetensors_at(f, 0), 0, 1, x), SB_EFORMAT,
         "'p' is I64, only F32, F16 and BF16");
    sb_safetensors_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            what_is_written_are_the_bytes_of_the_formats_own_writer),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_file_that_is_not_filled_or_is_there_is_not_written),
        cmocka_unit_test(halves_become_the_floats_that_they_are),
        cmocka_unit_test(what_other_writers_may_do_is_taken),
        cmocka_unit_test(a_header_that_is_no_such_json_is_refused),
        cmocka_unit_test(a_tensor_has_its_three_keys_once),
        cmocka_unit_test(shape_type_and_range_belong_together),
        cmocka_unit_test(ranges_leave_no_gap_and_do_not_overlap),
        cmocka_unit_test(an_absurd_length_of_the_header_is_refused),
        cmocka_unit_test(too_many_tensors_are_refused),
        cmocka_unit_test(values_that_are_no_finite_floats_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

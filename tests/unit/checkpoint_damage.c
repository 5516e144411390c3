/* SPDX-License-Identifier: MIT
 * checkpoint_damage.c - tests of proto/: damaged checkpoints, and saves that
 * fail. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "comm/base/hash.h"
#include "comm/base/rng.h"
#include "tests/unit/made_checkpoint.h"

static char *file_of(const char *name)
{
    return sb_format("%s/ckpt-000000001/%s", dir, name);
}

static const char *const files[] = {"manifest.pb", "part-00000.pb",
                                    "part-00009.pb"};

static void every_flipped_bit_is_found(void **state)
{
    (void)state;
    assert_int_equal(save_small(1), SB_OK);
    for (int f = 0; f < 3; f++) {
        char *path = file_of(files[f]), *text;
        size_t bytes;
        assert_int_equal(sb_file_read(path, 1 << 16, &text, &bytes), SB_OK);
        int fd = open(path, O_RDWR);
        for (size_t at = 0; at < bytes; at++)
            for (int bit = 0; bit < 9; bit++) {
                char b = (char)(text[at] ^ (bit < 8 ? 1 << bit : 0xff));
                assert_int_equal(pwrite(fd, &b, 1, (off_t)at), 1);
                sb_status st = read_all(1), all = verify(1);
                if (st != SB_EFORMAT || all != st)
                    fail_msg("%s byte %zu bit %d: %d, %d", files[f], at, bit,
                             st, all);
                assert_int_equal(pwrite(fd, text + at, 1, (off_t)at), 1);
            }
        close(fd);
        sb_free(text);
        sb_free(path);
    }
    assert_int_equal(read_all(1), SB_OK);
}

static void every_cut_and_every_longer_file_is_found(void **state)
{
    (void)state;
    assert_int_equal(save_small(1), SB_OK);
    for (int f = 0; f < 3; f++) {
        char *path = file_of(files[f]), *text;
        size_t bytes;
        assert_int_equal(sb_file_read(path, 1 << 16, &text, &bytes), SB_OK);
        for (size_t cut = 0; cut < bytes; cut++) {
            assert_int_equal(truncate(path, (off_t)(bytes - 1 - cut)), 0);
            assert_int_equal(read_all(1), SB_EFORMAT);
            assert_int_equal(verify(1), SB_EFORMAT);
        }
        assert_int_equal(sb_file_write(path, text, bytes + 1), SB_OK);
        assert_int_equal(read_all(1), SB_EFORMAT);
        assert_int_equal(verify(1), SB_EFORMAT);
        unlink(path);
        assert_int_equal(read_all(1), SB_ENOENT);
        assert_int_equal(verify(1), SB_ENOENT);
        assert_int_equal(symlink("/dev/zero", path), 0);
        assert_int_equal(read_all(1), SB_EIO);
        assert_int_equal(verify(1), SB_EIO);
        unlink(path);
        assert_int_equal(sb_file_write(path, text, bytes), SB_OK);
        assert_int_equal(read_all(1), SB_OK);
        sb_free(text);
        sb_free(path);
    }
}

/* Whoever can write the file can also make the checksum right: then contents
 * may be wrong, but nothing may be read or written out of bounds (run this
 * under ASan). */
static void a_manifest_with_a_right_checksum_is_still_not_trusted(void **state)
{
    (void)state;
    assert_int_equal(save_small(1), SB_OK);
    char *path = file_of("manifest.pb"), *text;
    size_t bytes;
    assert_int_equal(sb_file_read(path, 1 << 16, &text, &bytes), SB_OK);
    sb_rng_key key = sb_rng_key_make(1, SB_RNG_TEST);
    int fd = open(path, O_WRONLY), refused = 0;
    for (uint32_t round = 0; round < 4000; round++) {
        char bad[1 << 12];
        assert_true(bytes < sizeof bad);
        memcpy(bad, text, bytes);
        uint32_t edits = 1 + round % 3;
        for (uint32_t e = 0; e < edits; e++) {
            sb_rng4 r = sb_rng_at(key, round, e, 0);
            size_t at = 8 + sb_rng_below(r.v[0], (uint32_t)bytes - 8);
            bad[at] = (char)(r.v[2] % 4 ? bad[at] ^ (1 << r.v[1] % 8)
                                        : (int)(r.v[1] % 256));
        }
        uint32_t crc = sb_crc32c(0, bad + 8, bytes - 8);
        memcpy(bad + 4, &crc, sizeof crc);
        assert_int_equal(pwrite(fd, bad, bytes, 0), bytes);
        sb_status st = read_all(1);
        refused += st != SB_OK && st != SB_EBUG;
    }
    assert_true(refused > 1000);
    close(fd);
    sb_free(text);
    sb_free(path);
}

/* Half a million tensors of nothing in a MiB: they would take 36 times that. */
static void a_manifest_cannot_take_much_more_memory_than_its_size(void **state)
{
    (void)state;
    enum { N = 1 << 20, TENSOR = 10 << 3 | 2, HEAD = 8 };
    char *path = file_of("manifest.pb"), *file = malloc(HEAD + N);
    assert_non_null(file);
    assert_int_equal(save_small(1), SB_OK);
    for (size_t i = 0; i < N; i += 2) memcpy(file + HEAD + i, "\x52\0", 2);
    assert_int_equal(file[HEAD], TENSOR);
    uint32_t head[2] = {N, sb_crc32c(0, file + HEAD, N)};
    memcpy(file, head, HEAD);
    assert_int_equal(sb_file_write(path, file, HEAD + N), SB_OK);
    assert_int_equal(read_all(1), SB_EFORMAT);
    assert_non_null(strstr(sb_error_last()->text, "does not hold a manifest"));
    free(file);
    sb_free(path);
}

static void a_part_of_another_checkpoint_is_found(void **state)
{
    (void)state;
    assert_int_equal(save_small(1), SB_OK);
    weights[0] += 1;
    assert_int_equal(save_small(2), SB_OK);
    char *from = sb_format("%s/ckpt-000000002/part-00000.pb", dir);
    char *to = file_of("part-00000.pb");
    weights[0] -= 1;
    assert_int_equal(read_all(1), SB_OK);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(read_all(1), SB_EFORMAT);
    sb_free(from);
    sb_free(to);
}

static void what_the_disk_did_to_a_part_is_found_when_it_is_read_back(
    void **state)
{
    (void)state;
    sb_ckpt_part *p;
    char *path = sb_format("%s/.tmp-ckpt-000000001/part-00000.pb", dir), *text;
    size_t bytes;
    assert_int_equal(sb_ckpt_begin(dir, 1), SB_OK);
    assert_int_equal(sb_ckpt_part_open(dir, 1, 0, table, TENSORS, &p), SB_OK);
    assert_int_equal(sb_ckpt_put(p, 0, 0, CELLS, weights), SB_OK);
    assert_int_equal(sb_ckpt_put(p, 2, 0, 1, bias), SB_OK);
    assert_int_equal(sb_ckpt_part_sync(p), SB_OK);
    assert_int_equal(sb_ckpt_part_verify(p), SB_OK);
    assert_int_equal(sb_file_read(path, 1 << 16, &text, &bytes), SB_OK);
    int fd = open(path, O_RDWR);
    for (size_t at = 0; at < bytes; at++) {
        char b = (char)(text[at] ^ 0x10);
        assert_int_equal(pwrite(fd, &b, 1, (off_t)at), 1);
        assert_int_equal(sb_ckpt_part_verify(p), SB_EFORMAT);
        assert_int_equal(pwrite(fd, text + at, 1, (off_t)at), 1);
    }
    assert_int_equal(sb_ckpt_part_verify(p), SB_OK);
    assert_int_equal(ftruncate(fd, (off_t)bytes - 1), 0);
    assert_int_equal(sb_ckpt_part_verify(p), SB_EIO);
    unlink(path);
    assert_int_equal(sb_ckpt_part_verify(p), SB_EIO);
    close(fd);
    sb_ckpt_part_abandon(p);
    sb_free(text);
    sb_free(path);
}

/* A save in a child, whose n-th such call fails: fsio counts per process. */
static int save_in_child(uint64_t step, const char *call, int n)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        char fault[40];
        snprintf(fault, sizeof fault, "%s:%d", call, n);
        setenv("SB_FAULT", fault, 1);
        _exit((int)save_small(step));
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_failure_at_any_call_leaves_the_previous_checkpoint(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        int least;
    } calls[] = {{"write", 3}, {"fsync", 5}, {"rename", 1}};
    assert_int_equal(save_small(1), SB_OK);
    for (int k = 0; k < 3; k++) {
        int n = 1, st;
        while ((st = save_in_child(2, calls[k].call, n)) == SB_EIO) {
            assert_int_equal(read_all(1), SB_OK);
            if (sb_ckpt_exists(dir, 2)) { /* only the folder's sync failed */
                assert_int_equal(read_all(2), SB_OK);
                assert_int_equal(entries(), 2);
                assert_int_equal(sb_dir_remove(path_of(2)), SB_OK);
            }
            assert_int_equal(entries(), 1);
            n++;
        }
        assert_int_equal(st, SB_OK); /* the n-th call does not come */
        assert_true(n > calls[k].least);
        assert_int_equal(read_all(2), SB_OK);
        assert_int_equal(sb_dir_remove(path_of(2)), SB_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
        T(every_flipped_bit_is_found),
        T(every_cut_and_every_longer_file_is_found),
        T(a_manifest_with_a_right_checksum_is_still_not_trusted),
        T(a_manifest_cannot_take_much_more_memory_than_its_size),
        T(a_part_of_another_checkpoint_is_found),
        T(what_the_disk_did_to_a_part_is_found_when_it_is_read_back),
        T(a_failure_at_any_call_leaves_the_previous_checkpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "comm/base/fsio.h"
#include "comm/base/host_memory.h"
#include "comm/base/mem.h"

/* A host made of files. */
static char root[] = "/tmp/sb-host-XXXXXX";

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int drop_root(void **state)
{
    (void)state;
    return sb_dir_remove(root) == SB_OK ? 0 : -1;
}

static void put(const char *folder, const char *name, const char *text)
{
    char *path = sb_path_join(root, folder);
    assert_non_null(path);
    assert_int_equal(sb_dir_make(path), SB_OK);
    char *file = sb_path_join(path, name);
    assert_non_null(file);
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    sb_free(file);
    sb_free(path);
}

static void a_host_that_says_nothing_has_no_limit(void **state)
{
    (void)state;
    assert_int_equal(sb_memory_free_in(root), UINT64_MAX);
    assert_int_equal(sb_memory_free_in("/no/such/place"), UINT64_MAX);
}

static void without_limits_it_is_the_hosts_memory(void **state)
{
    (void)state;
    put("proc", "meminfo", "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n");
    assert_int_equal(sb_memory_free_in(root), 8000 * 1024);
    put("proc/self", "cgroup", "0::/\n");
    put("sys/fs/cgroup", "memory.max", "max\n");
    assert_int_equal(sb_memory_free_in(root), 8000 * 1024);
}

static void a_job_of_slurm_has_what_its_group_has(void **state)
{
    (void)state;
    put("proc/self", "cgroup", "0::/slurm/job_7/step_0\n");
    put("sys/fs/cgroup/slurm/job_7/step_0", "memory.max", "max\n");
    put("sys/fs/cgroup/slurm/job_7", "memory.max", "5000000\n");
    put("sys/fs/cgroup/slurm/job_7", "memory.current", "3000000\n");
    assert_int_equal(sb_memory_free_in(root), 2000000);
    put("sys/fs/cgroup/slurm/job_7", "memory.stat",
        "anon 1\ninactive_file 400000\nactive_file 600000\n");
    assert_int_equal(sb_memory_free_in(root), 3000000);
    put("sys/fs/cgroup/slurm", "memory.max", "1000\n");
    assert_int_equal(sb_memory_free_in(root), 1000);
    put("sys/fs/cgroup/slurm", "memory.current", "2000\n");
    assert_int_equal(sb_memory_free_in(root), 0);
}

static void groups_of_version_1_count_as_well(void **state)
{
    (void)state;
    put("proc/self", "cgroup", "9:name=systemd:/\n4:cpu,memory:/job\nbad\n");
    put("sys/fs/cgroup/memory/job", "memory.limit_in_bytes", "700000\n");
    put("sys/fs/cgroup/memory/job", "memory.usage_in_bytes", "500000\n");
    put("sys/fs/cgroup/memory/job", "memory.stat", "total_active_file 7\n");
    put("sys/fs/cgroup/memory", "memory.limit_in_bytes",
        "9223372036854771712\n");
    assert_int_equal(sb_memory_free_in(root), 200007);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_that_says_nothing_has_no_limit),
        cmocka_unit_test(without_limits_it_is_the_hosts_memory),
        cmocka_unit_test(a_job_of_slurm_has_what_its_group_has),
        cmocka_unit_test(groups_of_version_1_count_as_well),
    };
    return cmocka_run_group_tests(tests, make_root, drop_root);
}

/* SPDX-License-Identifier: MIT
 * ckpt_share.c - from the shares of all writers to one checkpoint.
 *
 * Their manifests must be the same but for the parts; the joined one has the
 * parts of all. Whether these make a checkpoint is for its reader to say. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/mem.h"
#include "proto/codec.h"

static sb_status no_path(void)
{
    SB_FAIL(SB_ENOMEM, "out of memory: a path");
}

/* ---- copying ------------------------------------------------------------- */

static sb_status copy_one(const char *from, const char *to, const char *name,
                          int may_lack)
{
    char *a = sb_path_join(from, name), *b = sb_path_join(to, name);
    sb_status st = a && b ? SB_OK : no_path();
    if (st == SB_OK && !(may_lack && !sb_file_exists(a)))
        st = sb_file_copy(a, b);
    sb_free(a);
    sb_free(b);
    return st;
}

sb_status sb_ckpt_share_copy(const char *share_dir, uint64_t step,
                             uint32_t writer, const char *dir)
{
    char share[SB_CKPT_NAME_ROOM], part[SB_CKPT_NAME_ROOM];
    char *from = sb_ckpt_path(share_dir, step);
    char *to = sb_ckpt_staging(dir, step);
    sb_status st = from && to ? SB_OK : no_path();
    sb_share_name(writer, share);
    sb_part_name(writer, part);
    if (st == SB_OK) st = copy_one(from, to, share, 0);
    if (st == SB_OK) st = copy_one(from, to, part, 1);
    sb_free(from);
    sb_free(to);
    return st;
}

/* ---- joining ------------------------------------------------------------- */

typedef struct join {
    const char *folder;
    Shardbert__Manifest **share; /* [n] */
    uint32_t n;
    Shardbert__Part **part; /* borrowed from the shares */
    size_t parts;
    uint8_t *first; /* share 0 without its part, packed */
    size_t first_bytes;
} join;

static sb_status read_frame(const char *path, sb_message *m)
{
    uint64_t bytes;
    SB_TRY(sb_file_size(path, &bytes));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    SB_REQUIRE(fd >= 0, SB_EIO, "cannot open '%s': %s", path, strerror(errno));
    sb_status st = sb_frame_get(fd, path, 0, bytes, SB_MANIFEST_MAX, m);
    close(fd);
    return st;
}

static sb_status read_share(join *j, const char *name)
{
    char *path = sb_path_join(j->folder, name);
    sb_message m = {0};
    ProtobufCMessage *share;
    sb_status st = path ? read_frame(path, &m) : no_path();
    if (st == SB_OK)
        st = sb_message_unpack(&shardbert__manifest__descriptor, m.data,
                               m.frame.bytes, path, "a share of a checkpoint",
                               SB_EFORMAT, &share);
    if (st == SB_OK) j->share[j->n++] = (Shardbert__Manifest *)share;
    sb_free(m.data);
    sb_free(path);
    return st;
}

/* All but the part is what the first share has. */
static sb_status compare(join *j, Shardbert__Manifest *m, const char *name)
{
    size_t parts = m->n_part;
    m->n_part = 0;
    size_t n = shardbert__manifest__get_packed_size(m);
    uint8_t *packed;
    sb_status st = sb_alloc(n, 1, "manifest", &packed);
    if (st == SB_OK) shardbert__manifest__pack(m, packed);
    m->n_part = parts;
    SB_TRY(st);
    if (!j->first) {
        j->first = packed;
        j->first_bytes = n;
        return SB_OK;
    }
    int same = n == j->first_bytes && memcmp(packed, j->first, n) == 0;
    sb_free(packed);
    SB_REQUIRE(same, SB_EFORMAT,
               "'%s/%s' belongs to another checkpoint than the shares before",
               j->folder, name);
    return SB_OK;
}

static sb_status take_share(join *j, uint32_t writer)
{
    char name[SB_CKPT_NAME_ROOM];
    sb_share_name(writer, name);
    SB_TRY(read_share(j, name));
    Shardbert__Manifest *m = j->share[j->n - 1];
    SB_REQUIRE(m->n_part <= 1 && (!m->n_part || m->part[0]->writer == writer),
               SB_EFORMAT, "'%s/%s' has another writer's part", j->folder,
               name);
    SB_TRY(compare(j, m, name));
    if (!m->n_part) return SB_OK;
    j->part[j->parts++] = m->part[0];
    return sb_part_check_file(j->folder, m->part[0], SB_EFORMAT);
}

/* The manifest of them all in the place of their own. */
static sb_status write_joined(const join *j)
{
    Shardbert__Manifest *m = j->share[0];
    Shardbert__Part **own = m->part;
    size_t n = m->n_part;
    m->part = j->part;
    m->n_part = j->parts;
    sb_status st = sb_manifest_put(j->folder, SB_MANIFEST_NAME, m);
    m->part = own;
    m->n_part = n;
    for (uint32_t w = 0; st == SB_OK && w < j->n; w++) {
        char name[SB_CKPT_NAME_ROOM];
        sb_share_name(w, name);
        char *path = sb_path_join(j->folder, name);
        st = path ? sb_dir_remove(path) : no_path();
        sb_free(path);
    }
    return st;
}

static sb_status join_all(join *j, uint32_t writers)
{
    sb_ckpt *c;
    SB_REQUIRE(writers > 0 && writers <= SB_CKPT_PARTS_MAX, SB_ELIMIT,
               "a checkpoint has 1 to %d shares, not %u", SB_CKPT_PARTS_MAX,
               writers);
    SB_TRY(sb_alloc(writers, sizeof *j->share, "shares", &j->share));
    SB_TRY(sb_alloc(writers, sizeof *j->part, "shares", &j->part));
    for (uint32_t w = 0; w < writers; w++) SB_TRY(take_share(j, w));
    SB_TRY(write_joined(j));
    SB_TRY(sb_ckpt_open(j->folder, &c));
    sb_ckpt_close(c);
    return SB_OK;
}

sb_status sb_ckpt_join(const char *dir, uint64_t step, uint32_t writers)
{
    char *folder = sb_ckpt_staging(dir, step);
    if (!folder) return no_path();
    join j = {.folder = folder};
    sb_status st = join_all(&j, writers);
    if (st == SB_OK) st = sb_ckpt_show(dir, step);
    for (uint32_t i = 0; i < j.n; i++)
        shardbert__manifest__free_unpacked(j.share[i], NULL);
    sb_free(j.share);
    sb_free(j.part);
    sb_free(j.first);
    sb_free(folder);
    return st;
}

/* SPDX-License-Identifier: MIT
 * checkpoint.c - a checkpoint of one part. The input: a byte, the manifest's
 * message as a block, and the part's messages as blocks. Bits of the byte:
 *
 *   1  the manifest gets its frame
 *   2  the part's messages get theirs
 *   4  the manifest is told where they lie, if it can be unpacked
 *
 * so that the fuzzer reaches what lies behind checksums, and the checksums. */
#include "proto/checkpoint.h"

#include <sys/stat.h>

#include "comm/base/mem.h"
#include "proto/codec.h"
#include "tests/fuzz/frame.h"

enum { FRAME = 1, FRAMES = 2, FIT = 4, RANGES_MAX = 64, READ_MAX = 1 << 16 };

typedef struct chunk {
    uint64_t offset;
    uint32_t bytes, crc;
} chunk;

static size_t write_part(fuzz_input in, int frames, chunk list[RANGES_MAX],
                         uint64_t *bytes_out)
{
    fuzz_bytes file = {0};
    size_t n = 0;
    while (in.left && n < RANGES_MAX) {
        fuzz_input message = fuzz_block(&in);
        list[n].offset = file.n;
        list[n].bytes = (uint32_t)message.left;
        if (frames)
            fuzz_frame(&file, message.at, message.left, &list[n].crc);
        else
            fuzz_add(&file, message.at, message.left);
        n++;
    }
    fuzz_file("ckpt/part-00000.pb", file.data ? file.data : (uint8_t *)"",
              file.n);
    free(file.data);
    *bytes_out = file.n;
    return n;
}

/* What the manifest says of its first part's frames becomes true. */
static void fit(fuzz_bytes *manifest, const chunk *list, size_t n,
                uint64_t bytes)
{
    Shardbert__Manifest *m =
        shardbert__manifest__unpack(NULL, manifest->n, manifest->data);
    if (!m) return;
    if (m->n_part) {
        Shardbert__Part *p = m->part[0];
        p->writer = 0;
        p->bytes = bytes;
        for (size_t i = 0; i < p->n_range && i < n; i++) {
            p->range[i]->offset = list[i].offset;
            p->range[i]->bytes = list[i].bytes;
            p->range[i]->crc = list[i].crc;
        }
    }
    size_t size = shardbert__manifest__get_packed_size(m);
    manifest->data = realloc(manifest->data, size + 1);
    HOLDS(manifest->data);
    manifest->n = shardbert__manifest__pack(m, manifest->data);
    shardbert__manifest__free_unpacked(m, NULL);
}

/* All elements of each tensor, and then its last one. */
static void read_tensors(sb_ckpt *c)
{
    for (size_t i = 0; i < sb_ckpt_tensors(c); i++) {
        const sb_tensor *t = sb_ckpt_tensor(c, i);
        uint64_t n = sb_tensor_elements(t), last;
        size_t found;
        HOLDS(n > 0 && sb_ckpt_find(c, t->name, &found) == SB_OK);
        HOLDS(found == i);
        (void)!sb_ckpt_get(c, t, n - 1, 1, &last);
        if (n > READ_MAX) continue;
        void *all = malloc((size_t)n * sb_dtype_bytes(t->dtype));
        HOLDS(all);
        (void)!sb_ckpt_get(c, t, 0, n, all);
        free(all);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_input in = {data, n};
    uint8_t how = fuzz_byte(&in);
    char folder[160];
    snprintf(folder, sizeof folder, "%s/ckpt", fuzz_folder());
    mkdir(folder, 0700);
    fuzz_input block = fuzz_block(&in);
    fuzz_bytes message = {0}, file = {0};
    chunk list[RANGES_MAX] = {{0, 0, 0}};
    uint64_t bytes, hash, again;
    fuzz_add(&message, block.at, block.left);
    size_t chunks = write_part(in, how & FRAMES, list, &bytes);
    if (how & FIT) fit(&message, list, chunks, bytes);
    if (how & FRAME)
        fuzz_frame(&file, message.data, message.n, NULL);
    else
        fuzz_add(&file, message.data, message.n);
    fuzz_file("ckpt/manifest.pb", file.data, file.n);
    free(message.data);
    free(file.data);
    sb_ckpt *c;
    if (sb_ckpt_open(folder, &c) != SB_OK) return 0;
    read_tensors(c);
    if (sb_ckpt_hash(c, &hash) == SB_OK)
        HOLDS(sb_ckpt_hash(c, &again) == SB_OK && again == hash);
    sb_ckpt_close(c);
    return 0;
}

/* SPDX-License-Identifier: MIT
 * seeds.c - the seeds that text cannot spell: `fuzz_seeds FOLDER` writes some
 * into FOLDER's checkpoint, counts, manifest and tokenizer. */
#include "comm/base/mem.h"
#include "dataset/manifest.h"
#include "dataset/tokenizer_files.h"
#include "proto/checkpoint.h"
#include "proto/counts.h"
#include "tests/fuzz/frame.h"

enum { HEAD = 8 }; /* of a frame */

static const char *top;

static void put(const char *target, const char *name, const void *data,
                size_t n)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", top, target);
    HOLDS(sb_dir_make(path) == SB_OK);
    snprintf(path, sizeof path, "%s/%s/%s", top, target, name);
    HOLDS(sb_file_write(path, data, n) == SB_OK);
}

static void get(const char *name, fuzz_bytes *to)
{
    char path[512], *data;
    size_t n;
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    HOLDS(sb_file_read(path, SIZE_MAX / 2, &data, &n) == SB_OK);
    *to = (fuzz_bytes){0};
    fuzz_add(to, data, n);
    sb_free(data);
}

static void add_block(fuzz_bytes *to, const uint8_t *data, size_t n)
{
    uint8_t head[2] = {(uint8_t)n, (uint8_t)(n >> 8)};
    HOLDS(n < 1 << 16);
    fuzz_add(to, head, sizeof head);
    fuzz_add(to, data, n);
}

/* ---- a checkpoint -------------------------------------------------------- */

static const sb_tensor table[] = {
    {"weights", SB_F32, 2, {4, 3}},
    {"counts", SB_U64, 1, {2}},
};
enum { TENSORS = 2 };

static void save(void)
{
    static char config[] = "steps = 10\n";
    static const float weights[12] = {1, 2, 3};
    static const uint64_t numbers[2] = {4, 5};
    sb_ckpt_meta m = {"mlm", 3, 10, 96, 42, 7, "a test", config};
    sb_ckpt_part *p;
    void *desc;
    size_t bytes;
    HOLDS(sb_ckpt_begin(fuzz_folder(), 3) == SB_OK);
    HOLDS(sb_ckpt_part_open(fuzz_folder(), 3, 0, table, TENSORS, &p) == SB_OK);
    HOLDS(sb_ckpt_put(p, 0, 0, 5, weights) == SB_OK);
    HOLDS(sb_ckpt_put(p, 1, 0, 2, numbers) == SB_OK);
    HOLDS(sb_ckpt_put(p, 0, 5, 7, weights + 5) == SB_OK);
    HOLDS(sb_ckpt_part_close(p, &desc, &bytes) == SB_OK);
    const void *list = desc;
    HOLDS(sb_ckpt_commit(fuzz_folder(), &m, table, TENSORS, &list, &bytes, 1) ==
          SB_OK);
    sb_free(desc);
}

/* As the target takes it apart: with frames of its own, and as it lies. */
static void checkpoint(void)
{
    fuzz_bytes manifest, part;
    save();
    get("ckpt-000000003/manifest.pb", &manifest);
    get("ckpt-000000003/part-00000.pb", &part);
    for (uint8_t how = 3; how < 8; how += 4) {
        fuzz_bytes out = {0};
        fuzz_add(&out, &how, 1);
        add_block(&out, manifest.data + HEAD, manifest.n - HEAD);
        for (size_t at = 0, n; at < part.n; at += HEAD + n) {
            uint32_t bytes;
            memcpy(&bytes, part.data + at, sizeof bytes);
            n = bytes;
            add_block(&out, part.data + at + HEAD, n);
        }
        put("checkpoint", how == 3 ? "framed" : "fitted", out.data, out.n);
        free(out.data);
    }
    fuzz_bytes out = {0};
    fuzz_add(&out, "", 1);
    add_block(&out, manifest.data, manifest.n);
    add_block(&out, part.data, part.n);
    put("checkpoint", "plain", out.data, out.n);
    free(out.data);
    free(manifest.data);
    free(part.data);
}

/* ---- the others ---------------------------------------------------------- */

static void counts(void)
{
    static const uint64_t n[] = {5, 0, 300, 1};
    char path[512];
    fuzz_bytes file, out = {0};
    snprintf(path, sizeof path, "%s/counts.pb", fuzz_folder());
    HOLDS(sb_counts_write(path, 1, n, sizeof n / sizeof *n) == SB_OK);
    get("counts.pb", &file);
    fuzz_add(&out, "\0", 1);
    fuzz_add(&out, file.data, file.n);
    put("counts", "plain", out.data, out.n);
    out.n = 0;
    fuzz_add(&out, "\1", 1);
    fuzz_add(&out, file.data + HEAD, file.n - HEAD);
    put("counts", "framed", out.data, out.n);
    free(file.data);
    free(out.data);
}

static void manifest(void)
{
    sb_source_entry source = {.spec = "text:/data/a.txt",
                              .weight = 1.5,
                              .stats = {.documents = 3, .tokens = 40}};
    sb_shard_entry shard = {.name = "train-00000.mdb",
                            .split = SB_TRAIN,
                            .bytes = 8192,
                            .info = {1, 40, 4, 3, 9, 5}};
    sb_manifest *m = calloc(1, sizeof *m);
    fuzz_bytes file;
    HOLDS(m);
    m->vocab_size = 9;
    m->vocab_hash = 5;
    m->source = &source;
    m->shard = &shard;
    m->sources = m->shards = 1;
    snprintf(m->config, sizeof m->config, "run = r\n");
    HOLDS(sb_manifest_write(fuzz_folder(), m) == SB_OK);
    free(m);
    get("corpus.json", &file);
    put("manifest", "one", file.data, file.n);
    free(file.data);
}

static void tokenizer(void)
{
    static const char text[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n";
    sb_vocab *v;
    fuzz_bytes file;
    HOLDS(sb_vocab_parse(text, sizeof text - 1, "a test", &v) == SB_OK);
    HOLDS(sb_tokenizer_write(fuzz_folder(), v, SB_MODEL_MAX_LENGTH) == SB_OK);
    sb_vocab_close(v);
    get("tokenizer.json", &file);
    put("tokenizer", "small", file.data, file.n);
    free(file.data);
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    top = argv[1];
    checkpoint();
    counts();
    manifest();
    tokenizer();
    return 0;
}

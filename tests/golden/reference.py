# SPDX-License-Identifier: MIT
"""DistilBERT for masked language modelling in plain PyTorch, written from the
parity list in docs/math.md, held against what golden_dump wrote.

usage: reference.py DIR   (exit 0: equal to 1e-4 relative everywhere)
"""
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F

DTYPE = {4: np.uint32, 8: np.float64}


def load(folder):
    data, config = {}, {}
    for line in open(f"{folder}/index"):
        if line.startswith("config "):
            config = {k: float(v) for k, v in
                      (item.split("=") for item in line.split()[1:])}
            continue
        number, size, name = line.split()
        integer = name.rsplit(".", 1)[-1] in ("ids", "seq", "masked", "target")
        dtype = np.float64 if size == "8" else np.uint32 if integer else np.float32
        data[name] = np.fromfile(f"{folder}/{number}.bin", dtype=dtype)
    return data, config


def shape_of(name, n, c):
    d, f, v, t = (int(c[k]) for k in ("dim", "ffn", "vocab", "positions"))
    if name.endswith("word_embeddings.weight"): return (v, d)
    if name.endswith("position_embeddings.weight"): return (t, d)
    if name.endswith("lin1.weight"): return (f, d)
    if name.endswith("lin2.weight"): return (d, f)
    if n == d * d: return (d, d)
    return (n,)


def pad(batches):
    """Sequences of all slots, padded to the longest, with masks and labels."""
    rows = []
    for ids, seq, masked, target in batches:
        labels = np.full(len(ids), -100, np.int64)
        labels[masked] = target
        for a, b in zip(seq[:-1], seq[1:]):
            rows.append((ids[a:b].astype(np.int64), labels[a:b]))
    longest = max(len(r[0]) for r in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    labels = torch.full((len(rows), longest), -100, dtype=torch.long)
    keep = torch.zeros(len(rows), longest, dtype=torch.bool)
    for i, (x, y) in enumerate(rows):
        ids[i, :len(x)] = torch.from_numpy(x)
        labels[i, :len(x)] = torch.from_numpy(y)
        keep[i, :len(x)] = True
    return ids, keep, labels


def forward(p, c, ids, keep, labels):
    d, heads = int(c["dim"]), int(c["heads"])
    e = "distilbert.embeddings."

    def norm(x, name):
        return F.layer_norm(x, (d,), p[name + ".weight"], p[name + ".bias"], 1e-12)

    def linear(x, name):
        return F.linear(x, p[name + ".weight"], p[name + ".bias"])

    def split(x):
        return x.view(*x.shape[:2], heads, d // heads).transpose(1, 2)

    word = F.embedding(ids, p[e + "word_embeddings.weight"], padding_idx=0)
    position = p[e + "position_embeddings.weight"][:ids.shape[1]]
    x = norm(word + position, e + "LayerNorm")
    for i in range(int(c["layers"])):
        l = f"distilbert.transformer.layer.{i}."
        q, k, v = (split(linear(x, f"{l}attention.{n}_lin")) for n in "qkv")
        scores = (q / math.sqrt(d // heads)) @ k.transpose(2, 3)
        scores = scores.masked_fill(~keep[:, None, None, :],
                                    torch.finfo(scores.dtype).min)
        a = (scores.softmax(-1) @ v).transpose(1, 2).reshape(x.shape)
        x = norm(linear(a, l + "attention.out_lin") + x, l + "sa_layer_norm")
        h = linear(F.gelu(linear(x, l + "ffn.lin1")), l + "ffn.lin2")
        x = norm(h + x, l + "output_layer_norm")
    z = norm(F.gelu(linear(x, "vocab_transform")), "vocab_layer_norm")
    logits = F.linear(z, p[e + "word_embeddings.weight"], p["vocab_projector.bias"])
    return F.cross_entropy(logits.view(-1, logits.shape[-1]), labels.view(-1))


worst = {}


def check(what, name, ours, theirs, scale=None):
    """Relative to the tensor's largest value: entries near zero are rounding."""
    scale = max(np.abs(theirs).max() if scale is None else scale, 1e-12)
    error = float(np.abs(ours - theirs).max() / scale)
    if error >= worst.get(what, (-1.0, ""))[0]:
        worst[what] = (error, name)


def main(folder):
    torch.set_num_threads(2)
    data, c = load(folder)
    p = {k[5:]: torch.tensor(v.reshape(shape_of(k, v.size, c))).requires_grad_()
         for k, v in data.items() if k.startswith("init.")}
    decay = [v for k, v in p.items() if v.dim() > 1]
    plain = [v for k, v in p.items() if v.dim() == 1]
    adam = torch.optim.AdamW([{"params": decay, "weight_decay": c["decay"]},
                              {"params": plain, "weight_decay": 0.0}],
                             lr=c["lr"], betas=(0.9, 0.999), eps=1e-8)
    w, total = c["warmup"], c["total"]
    schedule = torch.optim.lr_scheduler.LambdaLR(
        adam, lambda s: s / w if s < w else max(0.0, (total - s) / (total - w)))
    for s in range(int(c["steps"])):
        slots = [[data[f"step{s}.slot{i}.{n}"] for n in
                  ("ids", "seq", "masked", "target")] for i in range(int(c["slots"]))]
        loss = forward(p, c, *pad(slots))
        adam.zero_grad()
        loss.backward()
        if s == 0:
            for k, v in p.items():
                # A key bias shifts all scores of a query alike, which softmax
                # does not see: its true gradient is zero, ours and PyTorch's
                # are rounding. Measure it by the query bias's.
                twin = p[k.replace("k_lin.bias", "q_lin.bias")].grad.numpy()
                check("gradient", k, data["grad." + k].reshape(v.shape),
                      v.grad.numpy(), np.abs(twin).max())
        check("loss", f"step {s}", data[f"step{s}.loss"], np.array([loss.item()]))
        norm = torch.nn.utils.clip_grad_norm_(list(p.values()), c["clip"])
        check("gradient norm", f"step {s}", data[f"step{s}.norm"],
              np.array([norm.item()]))
        adam.step()
        schedule.step()
    for k, v in p.items():
        if k.endswith("k_lin.bias"):
            continue  # Adam divides that rounding by its own size
        check("final weight", k, data["final." + k].reshape(v.shape),
              v.detach().numpy())
    bars = {"gradient": 1e-4, "loss": 1e-4, "gradient norm": 1e-4,
            "final weight": 1e-4}
    for what, (error, name) in worst.items():
        print(f"{what:14s} largest relative difference {error:.2e} "
              f"(bar {bars[what]:.0e}) at {name}")
    return 0 if all(worst[k][0] <= bars[k] for k in bars) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

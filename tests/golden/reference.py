# SPDX-License-Identifier: MIT
"""DistilBERT for masked language modelling in plain PyTorch, written from the
parity list in docs/math.md, held against what golden_dump wrote.

usage: reference.py DIR...   (exit 0: equal to 1e-4 relative everywhere)

A weight is judged twice: the largest difference over the tensor's largest value, and the length of the difference of
its change over the length of the change. In the case base the first is only shown. After 3 steps a bias
there is 5e-4 at most. Where an element's gradients are a thousandth of its neighbours', their rounding is 1e-3 of them,
and Adam divides by their size: one element in 46 million is then 7e-8 off, which is 1.4e-4 of that bias's largest.
"""
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F

BAR = 1e-4


def dtype_of(name, size):
    if name.rsplit(".", 1)[-1] in ("ids", "seq", "masked", "target"):
        return np.uint32
    return {1: np.uint8, 4: np.float32, 8: np.float64}[size]


def load(folder):
    data, config = {}, {}
    for line in open(f"{folder}/index"):
        if line.startswith("config "):
            config = {k: float(v) for k, v in
                      (item.split("=") for item in line.split()[1:])}
            continue
        number, size, name = line.split()
        data[name] = np.fromfile(f"{folder}/{number}.bin", dtype=dtype_of(name, int(size)))
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


class Dropout:
    """What our dropout kept in a step, as factors for PyTorch's padded batch."""

    def __init__(self, data, step, c, keep):
        self.lengths, self.c = keep.sum(1).tolist(), c
        slots = [f"step{step}.slot{i}.keep." for i in range(int(c["slots"]))]
        self.kept = {k[len(slots[0]):]: np.concatenate([data[s + k[len(slots[0]):]] for s in slots])
                     for k in data if k.startswith(slots[0])}

    def __call__(self, x, name):
        if name not in self.kept:
            return x
        at, factor = 0, torch.zeros_like(x)
        for i, t in enumerate(self.lengths):
            part = factor[i, :, :t, :t] if x.dim() == 4 else factor[i, :t]
            flat = self.kept[name][at:at + part.numel()]
            part.copy_(torch.from_numpy(flat.astype(np.float32)).view(part.shape))
            at += part.numel()
        assert at == self.kept[name].size
        return x * factor / (1 - self.c["drop_attention" if x.dim() == 4 else "drop"])


def logits(p, c, ids, keep, drop=lambda x, name: x):
    """Of all positions, against all rows."""
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
    x = drop(norm(word + position, e + "LayerNorm"), "embedding")
    for i in range(int(c["layers"])):
        l = f"distilbert.transformer.layer.{i}."
        q, k, v = (split(linear(x, f"{l}attention.{n}_lin")) for n in "qkv")
        scores = (q / math.sqrt(d // heads)) @ k.transpose(2, 3)
        scores = scores.masked_fill(~keep[:, None, None, :],
                                    torch.finfo(scores.dtype).min)
        prob = drop(scores.softmax(-1), f"attention{i}")
        a = (prob @ v).transpose(1, 2).reshape(x.shape)
        x = norm(linear(a, l + "attention.out_lin") + x, l + "sa_layer_norm")
        h = linear(F.gelu(linear(x, l + "ffn.lin1")), l + "ffn.lin2")
        x = norm(drop(h, f"ffn{i}") + x, l + "output_layer_norm")
    z = norm(F.gelu(linear(x, "vocab_transform")), "vocab_layer_norm")
    return F.linear(z, p[e + "word_embeddings.weight"], p["vocab_projector.bias"])


def forward(p, c, ids, keep, labels, drop):
    x = logits(p, c, ids, keep, drop)
    return F.cross_entropy(x.view(-1, x.shape[-1]), labels.view(-1))


class Worst:
    """The largest difference of each kind, and where it was."""

    def __init__(self):
        self.of = {}

    def check(self, what, name, ours, theirs, scale=None):
        """Relative to the tensor's largest value: entries near zero are rounding."""
        scale = max(np.abs(theirs).max() if scale is None else scale, 1e-12)
        self.add(what, name, np.abs(ours - theirs).max() / scale)

    def add(self, what, name, error):
        if not error < self.of.get(what, (-1.0, ""))[0]:  # a NaN is the worst
            self.of[what] = (float(error), name)

    def report(self, case):
        """True if all are below the bar, if they have one."""
        shown = ("final weight",) if case == "base" else ()
        for what, (error, name) in self.of.items():
            bar = "shown only" if what in shown else f"bar {BAR:.0e}"
            print(f"{case:8s} {what:14s} largest relative difference {error:.2e} ({bar}) at {name}")
        return all(error <= BAR for what, (error, _) in self.of.items() if what not in shown)


def optimiser(p, c):
    decay = [v for v in p.values() if v.dim() > 1]
    plain = [v for v in p.values() if v.dim() == 1]
    adam = torch.optim.AdamW([{"params": decay, "weight_decay": c["decay"]},
                              {"params": plain, "weight_decay": 0.0}],
                             lr=c["lr"], betas=(0.9, 0.999), eps=1e-8)
    w, total = c["warmup"], c["total"]
    return adam, torch.optim.lr_scheduler.LambdaLR(
        adam, lambda s: s / w if s < w else max(0.0, (total - s) / (total - w)))


def check_gradients(worst, data, p):
    for k, v in p.items():
        # A key bias shifts all scores of a query alike, which softmax
        # does not see: its true gradient is zero, ours and PyTorch's
        # are rounding. Measure it by the query bias's.
        twin = p[k.replace("k_lin.bias", "q_lin.bias")].grad.numpy()
        worst.check("gradient", k, data["grad." + k].reshape(v.shape),
                    v.grad.numpy(), np.abs(twin).max())


def check_weights(worst, data, p):
    for k, v in p.items():
        if k.endswith("k_lin.bias"):
            continue  # Adam divides that rounding by its own size
        ours, theirs = data["final." + k].reshape(v.shape), v.detach().numpy()
        worst.check("final weight", k, ours, theirs)
        change = theirs - data["init." + k].reshape(v.shape)
        worst.add("change", k, np.linalg.norm(ours - theirs) / np.linalg.norm(change))


def run(folder):
    """True if all is equal, and the case had what it is there for."""
    data, c = load(folder)
    p = {k[5:]: torch.tensor(v.reshape(shape_of(k, v.size, c))).requires_grad_()
         for k, v in data.items() if k.startswith("init.")}
    adam, schedule = optimiser(p, c)
    worst, padded, clipped = Worst(), [], 0
    for s in range(int(c["steps"])):
        slots = [[data[f"step{s}.slot{i}.{n}"] for n in
                  ("ids", "seq", "masked", "target")] for i in range(int(c["slots"]))]
        ids, keep, labels = pad(slots)
        loss = forward(p, c, ids, keep, labels, Dropout(data, s, c, keep))
        adam.zero_grad()
        loss.backward()
        if s == 0:
            check_gradients(worst, data, p)
        worst.check("loss", f"step {s}", data[f"step{s}.loss"], np.array([loss.item()]))
        # PyTorch adds squares in floats: 4e-5 too few at base. The definition, in double:
        norm = math.sqrt(sum(v.grad.double().square().sum().item() for v in p.values()))
        worst.check("gradient norm", f"step {s}", data[f"step{s}.norm"], np.array([norm]))
        torch.nn.utils.clip_grad_norm_(list(p.values()), c["clip"])
        padded.append(not keep.all())
        clipped += int(norm > c["clip"])
        adam.step()
        schedule.step()
    check_weights(worst, data, p)
    case = folder.rstrip("/").rsplit("/", 1)[-1]
    equal = worst.report(case)
    print(f"{case:8s} {int(c['steps'])} steps, {sum(padded)} with padding, {clipped} clipped")
    return equal and padded[0] and clipped == (0 if case == "dropout" else c["steps"])


if __name__ == "__main__":
    torch.set_num_threads(2)
    sys.exit(0 if all([run(folder) for folder in sys.argv[1:]]) else 1)

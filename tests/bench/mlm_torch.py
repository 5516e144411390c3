# SPDX-License-Identifier: MIT
"""DistilBERT by masked language modelling as a plain PyTorch loop, to be timed
beside ours on the same batches (bench_mlm_batches writes them): fp32 or bf16
autocast, AdamW, clipping, dropout 0.1, sequences padded to the longest.

usage: mlm_torch.py BATCHES [--head masked|all] [--threads N] [--bf16]
           [--dim 768 --layers 6 --heads 12 --ffn 3072 --positions 512]
--head masked scores the masked positions only, --head all every position, as
the common script does. --bf16 exits with 77 where the processor has no bf16.
Prints a line per step, then medians over the steps
after the first: seconds, real tokens/s, and the largest resident memory.
"""
import argparse
import math
import resource
import statistics
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class Layer(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.heads = o.heads
        self.q, self.k, self.v, self.out = (nn.Linear(o.dim, o.dim) for _ in range(4))
        self.norm1, self.norm2 = (nn.LayerNorm(o.dim, eps=1e-12) for _ in range(2))
        self.lin1, self.lin2 = nn.Linear(o.dim, o.ffn), nn.Linear(o.ffn, o.dim)
        self.drop_prob, self.drop_ffn = nn.Dropout(0.1), nn.Dropout(0.1)

    def attention(self, x, keep):
        def split(y):
            return y.view(*y.shape[:2], self.heads, -1).transpose(1, 2)

        q, k, v = split(self.q(x)), split(self.k(x)), split(self.v(x))
        scores = (q / math.sqrt(q.shape[-1])) @ k.transpose(2, 3)
        scores = scores.masked_fill(~keep[:, None, None, :], torch.finfo(scores.dtype).min)
        a = self.drop_prob(scores.softmax(-1)) @ v
        return self.out(a.transpose(1, 2).reshape(x.shape))

    def forward(self, x, keep):
        x = self.norm1(x + self.attention(x, keep))
        return self.norm2(x + self.drop_ffn(self.lin2(F.gelu(self.lin1(x)))))


class Model(nn.Module):
    def __init__(self, o, vocab):
        super().__init__()
        self.word = nn.Embedding(vocab, o.dim, padding_idx=0)
        self.position = nn.Embedding(o.positions, o.dim)
        self.norm, self.head_norm = (nn.LayerNorm(o.dim, eps=1e-12) for _ in range(2))
        self.drop = nn.Dropout(0.1)
        self.layers = nn.ModuleList(Layer(o) for _ in range(o.layers))
        self.transform = nn.Linear(o.dim, o.dim)
        self.bias = nn.Parameter(torch.zeros(vocab))
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, ids, keep, labels, head):
        x = self.word(ids) + self.position(torch.arange(ids.shape[1]))
        x = self.drop(self.norm(x))
        for layer in self.layers:
            x = layer(x, keep)
        if head == "masked":
            chosen = labels != -100
            x, labels = x[chosen], labels[chosen]
        z = self.head_norm(F.gelu(self.transform(x)).float())  # autocast does not look after norms
        logits = F.linear(z, self.word.weight, self.bias)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), labels.view(-1))


def read(path):
    """The vocabulary's size, and (ids, keep, labels, real tokens) per step."""
    data = np.fromfile(path, dtype="<u4").astype(np.int64)
    at, steps = 2, []

    def take(n):
        nonlocal at
        at += n
        return torch.from_numpy(data[at - n:at])

    for _ in range(data[1]):
        sequences, tokens, masked = take(3).tolist()
        begin, flat = take(sequences + 1), take(tokens)
        flat_labels = torch.full((tokens,), -100)
        where = take(masked)
        flat_labels[where] = take(masked)
        length = begin.diff()
        keep = torch.arange(int(length.max())) < length[:, None]
        ids = torch.zeros(keep.shape, dtype=torch.long)
        labels = torch.full(keep.shape, -100)
        ids[keep], labels[keep] = flat, flat_labels
        steps.append((ids, keep, labels, tokens))
    return int(data[0]), steps


def has_bf16():
    """Without these instructions PyTorch computes bf16 many times slower than fp32."""
    flags = open("/proc/cpuinfo").read().split()
    return "avx512_bf16" in flags or "amx_bf16" in flags or "bf16" in flags


def main():
    p = argparse.ArgumentParser()
    p.add_argument("batches")
    p.add_argument("--head", choices=("masked", "all"), default="masked")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--bf16", action="store_true")
    for name, value in (("dim", 768), ("layers", 6), ("heads", 12), ("ffn", 3072), ("positions", 512)):
        p.add_argument(f"--{name}", type=int, default=value)
    o = p.parse_args()
    if o.bf16 and not has_bf16():
        print("no bf16 instructions here", file=sys.stderr)
        return 77
    torch.set_num_threads(o.threads)
    torch.manual_seed(1)
    vocab, steps = read(o.batches)
    model = Model(o, vocab).train()
    adam = torch.optim.AdamW(model.parameters(), lr=5e-5, weight_decay=0.0)
    seconds, rates = [], []
    for i, (ids, keep, labels, tokens) in enumerate(steps):
        start = time.perf_counter()
        adam.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=o.bf16):
            loss = model(ids, keep, labels, o.head)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        value = loss.item()
        seconds.append(time.perf_counter() - start)
        rates.append(tokens / seconds[-1])
        print(f"step {i + 1}: {seconds[-1]:.3f} s, {rates[-1]:.3f} tokens/s, loss {value:.4f}", flush=True)
    measured = slice(1 if len(steps) > 1 else 0, None)
    print(f"median {statistics.median(seconds[measured]):.4f} s a step, "
          f"{statistics.median(rates[measured]):.2f} tokens/s, "
          f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    sys.exit(main())

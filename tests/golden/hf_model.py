# SPDX-License-Identifier: MIT
"""An exported folder in PyTorch: its logits at every [MASK] of some sentences,
held against ours.

usage: hf_model.py FOLDER IDS LOGITS   (IDS: a sentence a line; LOGITS: floats,
as cli_dump_logits writes them; exit 0: equal to 1e-5 everywhere)
"""
import json
import sys

import numpy as np
import torch

import safetensors
from reference import logits

BAR = 1e-5


def load(folder):
    with open(f"{folder}/config.json") as f:
        config = json.load(f)
    assert config["model_type"] == "distilbert" and config["activation"] == "gelu"
    p = {k: torch.tensor(x).reshape(shape)
         for k, (shape, x) in safetensors.read(f"{folder}/model.safetensors").items()}
    assert "vocab_projector.weight" not in p and config["tie_weights_"]
    c = {"dim": config["dim"], "heads": config["n_heads"], "layers": config["n_layers"]}
    return p, c, config["vocab_size"]


def run(folder, ids_path, logits_path):
    p, c, size = load(folder)
    with open(f"{folder}/vocab.txt", encoding="utf-8") as f:
        mask = f.read().split("\n").index("[MASK]")
    ours, at, worst = np.fromfile(logits_path, dtype=np.float32).reshape(-1, size), 0, 0.0
    for line in open(ids_path):
        ids = torch.tensor([[int(i) for i in line.split()]])
        theirs = logits(p, c, ids, torch.ones_like(ids, dtype=torch.bool))[0][ids[0] == mask]
        n = len(theirs)
        worst = max(worst, np.abs(ours[at:at + n] - theirs.numpy()).max())
        at += n
    print(f"{folder}: {at} x {size} logits, largest {np.abs(ours).max():.2f}, "
          f"largest difference {worst:.1e} (bar {BAR:.0e})")
    return at == len(ours) and at > 0 and worst <= BAR


if __name__ == "__main__":
    with torch.no_grad():
        sys.exit(0 if run(*sys.argv[1:]) else 1)

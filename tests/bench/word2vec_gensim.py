# SPDX-License-Identifier: MIT
"""gensim's word2vec on a file, as word2vec_peers.sh calls it; prints the seconds of training.

usage: word2vec_gensim.py TEXT OUT DIM EPOCHS ALPHA THREADS SEED CBOW SUBSAMPLE WINDOW NEGATIVE
"""
import sys
import time

from gensim.models import Word2Vec
from gensim.models.word2vec import CORPUSFILE_VERSION

text, out = sys.argv[1:3]
dim, epochs, threads, seed, cbow, window, negative = (int(sys.argv[i]) for i in (3, 4, 6, 7, 8, 10, 11))
alpha, subsample = float(sys.argv[5]), float(sys.argv[9])
if CORPUSFILE_VERSION < 0:
    sys.exit("gensim has no compiled corpus_file mode here")

# corpus_file is its fast way: threads without Python's lock, each on a part of the file.
model = Word2Vec(vector_size=dim, epochs=epochs, alpha=alpha, workers=threads, seed=seed, sg=1 - cbow,
                 sample=subsample, window=window, negative=negative, min_count=1)
model.build_vocab(corpus_file=text)
start = time.monotonic()
model.train(corpus_file=text, total_examples=model.corpus_count, total_words=model.corpus_total_words,
            epochs=model.epochs)
print(f"{time.monotonic() - start:.3f}")
model.wv.save_word2vec_format(out, binary=True)

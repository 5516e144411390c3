#!/bin/bash
# SPDX-License-Identifier: MIT
# The tokenizer files of an export, read by the tokenizers of transformers.js
# (npm's @huggingface/tokenizers): the ids of `encode`, [MASK] in the text too.
set -eu
shardbert=$1
. "$SB_SOURCE/tests/lib.sh"
own_folder
npm=$SB_BUILD/npm-js
package=@huggingface/tokenizers
[ -d "$npm/node_modules/$package" ] ||
    timeout 300 npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$npm" $package@0.2.0 >/dev/null 2>&1 || {
    echo "skipped: npm cannot get the package $package"
    exit 77
}
small_run "$shardbert" run 1500
"$shardbert" mlm --run run --init none --dim 16 --layers 1 --heads 2 --ffn 16 --positions 48 --max-length 32 --batch 8 \
    --slots 4 --steps 1 --log error >/dev/null
"$shardbert" export --run run model >/dev/null
{
    sed 's/ the / [MASK] /' run/text.txt | grep .
    printf '%s\n' 'Übermäßige Čeština, naïve CAFÉ!' '中文 and 日本' "don't [MASK] me" '[MASK][MASK]' 'snow☃man'
} >lines
"$shardbert" encode --run run --specials <lines >ours
cat >theirs.mjs <<'EOF'
import { createRequire } from 'module';
import { readFileSync } from 'fs';
const { Tokenizer } = createRequire(process.argv[2] + '/')('@huggingface/tokenizers');
const json = (name) => JSON.parse(readFileSync(`model/${name}.json`, 'utf8'));
const config = json('tokenizer_config');
const t = new Tokenizer(json('tokenizer'), config);
const lines = readFileSync('lines', 'utf8').split('\n').slice(0, -1);
for (const line of lines) console.log(t.encode(line).ids.join(' '));
if (config.model_max_length !== json('config').max_position_embeddings) throw 'model_max_length';
if (json('special_tokens_map').mask_token !== config.mask_token) throw 'mask_token';
EOF
node theirs.mjs "$npm" >theirs
cmp ours theirs || fail "other ids: $(diff ours theirs | head -n 6)"
echo "an export's tokenizer in JavaScript: the same ids for $(wc -l <lines) lines"

// SPDX-License-Identifier: MIT
// Ids of `shardbert encode` against those of Hugging Face's tokenizers, text by
// text.
//
// usage: node tokenizers.mjs NPM-FOLDER SHARDBERT TOKENIZER.JSON SCRATCH [FILE...]
//
// FILEs are read as JSON lines (every string in them), base64 lines, or lines,
// whatever they look like; .gz and .bz2 are unpacked. Texts that are made here
// come first: all code points, and random strings.
import {execFileSync, spawnSync} from 'node:child_process';
import {createRequire} from 'node:module';
import {closeSync, openSync, readFileSync, writeFileSync} from 'node:fs';
import {basename} from 'node:path';
import {gunzipSync} from 'node:zlib';

const [npm, shardbert, vocab, scratch, ...files] = process.argv.slice(2);
const {Tokenizer} = createRequire(`${npm}/`)('tokenizers');

// ---- texts -----------------------------------------------------------------

function* codePoints() {
  const each = 32;
  for (let from = 0; from < 0x110000; from += each) {
    let text = '';
    for (let c = from; c < from + each; c++) {
      if (c >= 0xd800 && c < 0xe000) continue;
      const s = String.fromCodePoint(c);
      text += ` a${s}b ${s}.${s}e${s}\u0301\u0316`;
    }
    yield text;
  }
}

// xorshift32: the same strings in every run
let state = 20240229;
function below(n) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % n;
}

const words = ['[MASK]', '[CLS]', '[SEP]', '[PAD]', '[UNK]', '[mask]', '[MASK', 'MASK]', '##ing', '##', 'the', 'The',
  'unaffable', 'ANTIDISESTABLISHMENTARIANISM', "don't", 'e.g.', '1,234.56', '...', 'a'.repeat(100), 'b'.repeat(101),
  'x'.repeat(15), 'Y'.repeat(16), 'z'.repeat(17), '\u00e9'.repeat(100), '\u4e2d'.repeat(3), '\u2019s', '\u00df',
  '\u0130', '\u01c5', '\ufb01', '\u1e9e', '\ud83d\udc69\u200d\ud83d\ude80', '\r\n', '\t', '\u0085', '\u2028', '\u00a0',
  '\u3000', '\ufeff', '\u200b', '\u00ad', '\u0000', '\u000b', '\u007f', '\ufffd', '\ud800'];
const ranges = [[0x20, 0x7f], [0x20, 0x7f], [0x61, 0x7b], [0x61, 0x7b], [0, 0x20], [0x80, 0x250], [0x300, 0x370],
  [0x370, 0x530], [0x590, 0x900], [0x900, 0xe00], [0x1100, 0x1200], [0x1ab0, 0x1b00], [0x1dc0, 0x2000],
  [0x2000, 0x2070], [0x20d0, 0x2100], [0x3000, 0x3100], [0x3130, 0x4e00], [0x4e00, 0xa000], [0xac00, 0xd7b0],
  [0xe000, 0xf900], [0xf900, 0xfb00], [0xfb00, 0x10000], [0x10000, 0x12000], [0x1d000, 0x1d300], [0x1f000, 0x1fa00],
  [0x20000, 0x30000], [0xe0000, 0xe0200], [0, 0x110000]];

function randomString() {
  let text = '';
  for (let parts = 1 + below(8); parts > 0; parts--) {
    if (below(4) === 0) text += words[below(words.length)];
    const [from, to] = ranges[below(ranges.length)];
    for (let n = below(8); n > 0; n--) text += String.fromCodePoint(from + below(to - from));
    if (below(2)) text += ' ';
  }
  return text;
}

function* randomStrings() {
  const strings = process.env.SB_LONG ? 200000 : 50000;
  for (let i = 0; i < strings; i++) yield randomString();
}

function unpacked(file) {
  if (file.endsWith('.bz2')) return execFileSync('bzcat', [file], {maxBuffer: 2 ** 30});
  const data = readFileSync(file);
  return file.endsWith('.gz') ? gunzipSync(data) : data;
}

// Every string of a record but S2ORC's lists of offsets.
function* strings(value, key) {
  if (typeof value === 'string') yield value;
  else if (value && typeof value === 'object' && key !== 'annotations')
    for (const [k, v] of Object.entries(value)) yield* strings(v, k);
}

function* textsOf(file) {
  const base64 = basename(file).includes('base64');
  const lines = unpacked(file).toString('utf8').split('\n');
  if (base64)
    for (const line of lines) yield Buffer.from(line, 'base64').toString('utf8');
  else if (lines[0].startsWith('{"'))
    for (const line of lines.filter(Boolean)) yield* strings(JSON.parse(line), '');
  else // some lines at once: short texts are slow
    for (let i = 0; i < lines.length; i += 16) yield lines.slice(i, i + 16).join('\n');
}

// ---- ids -------------------------------------------------------------------

// With added_tokens Hugging Face finds "[MASK]" in the text before all else;
// without them it is text, as for `ingest`.
function reference(specials) {
  const json = JSON.parse(readFileSync(vocab, 'utf8'));
  if (!specials) json.added_tokens = [];
  return Tokenizer.fromString(JSON.stringify(json));
}
const hf = [reference(false), reference(true)];

function ours(texts, specials) {
  writeFileSync(`${scratch}/texts`, texts.join('\n') + '\n');
  const input = openSync(`${scratch}/texts`, 'r'), output = openSync(`${scratch}/ids`, 'w');
  const args = ['encode', '--vocab', vocab, `--specials=${Boolean(specials)}`];
  const {status} = spawnSync(shardbert, args, {stdio: [input, output, 'inherit']});
  closeSync(input);
  closeSync(output);
  if (status !== 0) throw new Error(`shardbert encode: exit ${status}`);
  return readFileSync(`${scratch}/ids`, 'latin1').split('\n').slice(0, -1);
}

let different = 0;

async function compareSome(texts, specials) {
  const got = ours(texts, specials);
  if (got.length !== texts.length) throw new Error(`${got.length} lines for ${texts.length} texts`);
  for (let from = 0; from < texts.length; from += 512) {
    const some = texts.slice(from, from + 512);
    const encoded = await hf[specials].encodeBatch(some, {addSpecialTokens: Boolean(specials)});
    encoded.forEach((e, i) => {
      const want = e.getIds().join(' ');
      if (got[from + i] === want) return;
      if (++different > 5) return;
      console.log(`different: ${JSON.stringify(some[i])}\n  ours: ${got[from + i]}\n  theirs: ${want}`);
    });
  }
}

async function compare(name, texts, specials) {
  const start = Date.now();
  let some = [], characters = 0, count = 0, before = different;
  const flush = async () => {
    await compareSome(some, specials);
    some = [];
    characters = 0;
  };
  for (const text of texts) {
    const line = text.replaceAll('\n', ' ');
    some.push(line);
    characters += line.length;
    count++;
    if (characters > 5e7) await flush();
  }
  if (some.length) await flush();
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  console.log(`${name}: ${count} texts, ${different - before} different, ${seconds} s`);
}

await compare('all code points', codePoints(), 0);
await compare('random strings', randomStrings(), 0);
await compare('random strings with special tokens', randomStrings(), 1);
for (const kind of [...new Set(files.map(f => f.replace(/\/[^/]*$/, '')))])
  await compare(kind, (function* () {
    for (const f of files) if (f.replace(/\/[^/]*$/, '') === kind) yield* textsOf(f);
  })(), 0);
process.exit(different ? 1 : 0);

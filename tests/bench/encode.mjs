// SPDX-License-Identifier: MIT
// How fast Hugging Face's tokenizers are from Node, by the processor's time:
// the better of encode, line by line, and encodeBatch. Ids stay where they are
// made: fetching them would add to it.
//
// usage: node encode.mjs NPM-FOLDER TOKENIZER.JSON TEXT: MB/s
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';

const [npm, vocab, text] = process.argv.slice(2);
const {Tokenizer} = createRequire(`${npm}/`)('tokenizers');
const tokenizer = Tokenizer.fromFile(vocab);
const data = readFileSync(text);
const lines = data.toString('utf8').split('\n');
const options = {addSpecialTokens: false};

async function rate(work) {
  const before = process.cpuUsage();
  await work();
  const {user, system} = process.cpuUsage(before);
  return data.length / (user + system);
}

const single = await rate(async () => {
  for (const line of lines) await tokenizer.encode(line, null, options);
});
const batches = await rate(async () => {
  for (let i = 0; i < lines.length; i += 256) await tokenizer.encodeBatch(lines.slice(i, i + 256), options);
});
console.log(Math.max(single, batches).toFixed(2));

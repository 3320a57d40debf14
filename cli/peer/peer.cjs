// Runs a job of graft verify: peer.cjs RUNTIME DIR [MODULES ...]. Writes result.json into DIR.
const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');

const [name, folder, ...modules] = process.argv.slice(2);

function finish(result) {
  fs.writeFileSync(path.join(folder, 'result.json'), JSON.stringify(result));
  process.exit(0);
}

function load() {
  const tries = [require, ...[...modules, process.cwd()].map((dir) => createRequire(path.join(path.resolve(dir), 'x.js')))];
  let first;
  for (const each of tries) {
    try {
      const found = each(name);
      return [found, each];
    } catch (e) {
      first = first || e;
      if (e.code !== 'MODULE_NOT_FOUND') throw e;
    }
  }
  finish({ version: '', absent: `node: there is no module ${name}` });
}

const arrays = {
  float32: Float32Array, float64: Float64Array, float16: Uint16Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array,
  uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array, bool: Uint8Array,
};

async function main() {
  const [ort, from] = load();
  let version = '';
  try {
    version = JSON.parse(fs.readFileSync(path.join(path.dirname(from.resolve(name)), '..', 'package.json'), 'utf8')).version;
  } catch {
    version = (ort.env && ort.env.versions && ort.env.versions.common) || '';
  }
  const job = JSON.parse(fs.readFileSync(path.join(folder, 'job.json'), 'utf8'));
  try {
    if (name === 'onnxruntime-web') ort.env.wasm.numThreads = 1;
    const provider = name === 'onnxruntime-web' ? 'wasm' : 'cpu';
    const model = fs.readFileSync(path.join(folder, job.model));
    const session = await ort.InferenceSession.create(new Uint8Array(model), { executionProviders: [provider] });
    const feeds = {};
    for (const v of job.inputs) {
      const bytes = fs.readFileSync(path.join(folder, v.file));
      const copy = new Uint8Array(bytes).buffer;
      feeds[v.name] = new ort.Tensor(v.dtype, new arrays[v.dtype](copy), v.dims);
    }
    const results = await session.run(feeds, job.outputs);
    const outputs = job.outputs.map((n, i) => {
      const t = results[n];
      const file = `out${i}.bin`;
      fs.writeFileSync(path.join(folder, file), Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength));
      return { name: n, dtype: t.type, dims: Array.from(t.dims, Number), file };
    });
    finish({ version, outputs });
  } catch (e) {
    const text = String((e && e.message) || e).split('\n')[0].slice(0, 500);
    const lacking = /not implemented|no available backend|Could not find an implementation/i.test(text);
    finish({ version, [lacking ? 'unsupported' : 'error']: text });
  }
}

main().catch((e) => finish({ version: '', error: String((e && e.message) || e).split('\n')[0].slice(0, 500) }));

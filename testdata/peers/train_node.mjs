// Trains what graft artifacts has made, with onnxruntime-node from the node_modules of the current folder.
//
//     node train_node.mjs ARTIFACTS DATA.safetensors STEPS
//
// Every step is along the whole file; with batches, values get other rows before each. Prints the loss of every step, and the
// loss of eval_model.onnx in the end, as JSON. docs/train.md says what the names mean.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const ort = createRequire(join(process.cwd(), "any.js"))("onnxruntime-node");
const [folder, data, steps] = process.argv.slice(2);
const json = (...path) => JSON.parse(readFileSync(join(folder, ...path)));
const contract = json("contract.json");
const sessions = {};
for (const key of ["training", "optimizer", "eval"]) sessions[key] = await ort.InferenceSession.create(join(folder, contract.models[key].file));

// A safetensors file is a length of 8 bytes, a JSON header of that length, and the numbers.
function tensors(path) {
  const bytes = readFileSync(path), start = 8 + Number(bytes.readBigUInt64LE());
  return Object.entries(JSON.parse(bytes.toString("utf8", 8, start))).filter(([name]) => name !== "__metadata__").map(([name, t]) => {
    const { buffer } = Uint8Array.from(bytes.subarray(start + t.data_offsets[0], start + t.data_offsets[1]));
    return [name, t.dtype === "I64" ? new ort.Tensor("int64", new BigInt64Array(buffer), t.shape) : new ort.Tensor("float32", new Float32Array(buffer), t.shape)];
  });
}

// Outputs by name of a model, whose inputs are the values of their names.
const run = (key) => sessions[key].run(Object.fromEntries(sessions[key].inputNames.map((name) => [name, values[name]])));
const put = (entries) => Object.assign(values, Object.fromEntries(entries));
const zeros = ({ dims, size }) => new ort.Tensor("float32", new Float32Array(size), dims);
const count = (n) => new ort.Tensor("int64", [BigInt(n)], [1]);

const values = {};
put(tensors(data));
for (const name of ["parameters", "buffers"]) put(tensors(join(folder, "checkpoint", `${name}.safetensors`)));
for (const { name: p } of contract.parameters) {
  values[`${p}_grad.accumulation.buffer`] = zeros(values[p]);
  for (const slot of contract.slots) values[`${p}.${slot}`] = slot === "ema" ? values[p] : zeros(values[p]);
}
put(tensors(join(folder, "checkpoint", "slots.safetensors"))); // those of a training that has begun
const begin = json("checkpoint", "state.json").steps, every = contract.accumulate, losses = [];
values.learning_rate = new ort.Tensor("float32", [contract.learning_rate], [1]);

for (let step = begin + 1; step <= steps; step++) {
  values.step = count(step); // of the masks of dropout
  values.lazy_reset_grad = new ort.Tensor("bool", [(step - 1) % every === 0], [1]);
  const out = await run("training");
  losses.push(out.loss.data[0]);
  if (step % every === 0) {
    values.step = count(step / every);
    put(Object.entries(out).map(([name, value]) => [name.replace(".accumulation.out", ""), value]));
    Object.assign(out, await run("optimizer"));
  }
  put(Object.entries(out).map(([name, value]) => [name.replace("accumulation.out", "accumulation.buffer").replace(/\.next$/, ""), value]));
}
console.log(JSON.stringify({ runtime: ort.env.versions.node, losses, eval: (await run("eval")).loss.data[0] }));

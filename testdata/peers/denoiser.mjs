// Runs a denoiser for denoiser.py: node denoiser.mjs MODULE MODEL FOLDER, a picture and beta as JSON on stdin, the samples of what comes
// out on stdout. FOLDER has node_modules, or is it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [name, model, folder] = process.argv.slice(2);
const ort = createRequire(resolve(folder, "any.js"))(name);
if (name === "onnxruntime-web") ort.env.wasm.numThreads = 1;
const { image, beta } = JSON.parse(readFileSync(0));
const session = await ort.InferenceSession.create(new Uint8Array(readFileSync(model)), { executionProviders: [name === "onnxruntime-web" ? "wasm" : "cpu"] });
const out = await session.run({ image: new ort.Tensor("float32", Float32Array.from(image.data), image.dims), beta: new ort.Tensor("float32", Float32Array.of(beta), []) });
console.log(JSON.stringify(Array.from(out.denoised.data)));

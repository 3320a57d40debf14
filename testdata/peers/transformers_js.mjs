// Holds what graft generate writes against transformers.js on the same network of a folder of graft convert.
//
//     npm install --ignore-scripts --prefix FOLDER @huggingface/transformers
//     graft convert MODEL --out smollm2/ --variants q4
//     graft generate smollm2/onnx/model_q4.onnx --tokenizer smollm2/ --no-end --max-tokens 24 --json --prompt TEXT ... > graft.json
//     NODE_MODULES=FOLDER node testdata/peers/transformers_js.mjs smollm2/ q4 graft.json
//
// The folder is loaded as it lies there: config, tokenizer, onnx/model_q4.onnx. With fp32 it is model.onnx. Tokens of the prompts must be
// equal; greedy tokens may depart only where graft has its two largest logits closer than 1e-3, behind which nothing is compared. Exits with 1 otherwise.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.resolve(process.env.NODE_MODULES ?? ".", "package.json"));
const { AutoModelForCausalLM, AutoTokenizer, env } = await import(pathToFileURL(require.resolve("@huggingface/transformers")));
const [folder, dtype, document] = process.argv.slice(2);
env.allowRemoteModels = false;
env.localModelPath = path.dirname(path.resolve(folder));
const name = path.basename(path.resolve(folder));
const tokenizer = await AutoTokenizer.from_pretrained(name);
const model = await AutoModelForCausalLM.from_pretrained(name, { dtype, device: "cpu", ...(dtype === "fp32" && { subfolder: "" }) });

let wrong = 0, near = 0, total = 0;
for (const { prompt, prompt_tokens, tokens, margin } of JSON.parse(readFileSync(document, "utf8")).texts) {
  const inputs = await tokenizer(prompt);
  const ids = inputs.input_ids.tolist()[0].map(Number);
  if (JSON.stringify(ids) !== JSON.stringify(prompt_tokens)) {
    console.log("the prompt's tokens differ:", JSON.stringify(prompt), ids, prompt_tokens);
    wrong++;
    continue;
  }
  const out = await model.generate({ ...inputs, do_sample: false, max_new_tokens: tokens.length, min_new_tokens: tokens.length, repetition_penalty: 1 });
  const written = out.tolist()[0].slice(ids.length).map(Number);
  const at = tokens.findIndex((id, i) => id !== written[i]);
  total += tokens.length;
  if (at < 0) {
    console.log("equal", tokens.length, JSON.stringify(tokenizer.decode(written).slice(0, 60)));
  } else {
    console.log("departs at token", at, "where graft's two largest logits differ by", margin[at], JSON.stringify(prompt));
    margin[at] < 1e-3 ? near++ : wrong++;
  }
}
console.log(`transformers.js ${env.version}, ${dtype}: ${total} tokens, ${near} departures at logits closer than 1e-3, ${wrong} others`);
process.exit(wrong > 0 ? 1 : 0);

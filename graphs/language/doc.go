// Package language builds pretrained language models as ONNX graphs: BERT, RoBERTa and DistilBERT with the heads of their tasks,
// GPT-2, and Llama with what has its form. A Config has Hugging Face's words, parameters have Hugging Face's names and shapes,
// and inputs and outputs those of Optimum, so that mask files, checkpoints and exports need no table.
//
//	c := language.Config{ModelType: "llama", HiddenSize: 576, NumHiddenLayers: 30, NumAttentionHeads: 9, NumKeyValueHeads: 3, ...}
//	o := language.Options{Task: language.TextGeneration, Cache: true}
//	list, err := c.Parameters(o) // names and shapes, in the order of a state dict
//	if err != nil {
//		return err // "llama: 9 heads for 2 key-value heads"
//	}
//	m, err := c.Build(o, func(p language.Parameter) (*onnx.Tensor, error) { return file.Tensor(p.Name) })
//
// Batch and sequence are symbols. What lies between layers is [batch·sequence, hidden], so that a weight [out, in] is a Gemm's
// as it is stored. Options put gates on the heads, hand out what each head makes, or put something else in its place.
//
// Where a token must not be seen, 1e4 is taken off its score, which leaves exactly nothing of it in float32 and has room in
// float16. Rows of padding, which see nothing, hold other numbers than those of transformers.
package language

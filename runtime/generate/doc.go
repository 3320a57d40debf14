// Package generate has causal language models in ONNX Runtime go on writing: token by token, the likeliest one or one that is drawn.
//
//	m, err := generate.New(model, runtime.Options{})
//	if err != nil {
//		return err
//	}
//	defer m.Close()
//	r, err := m.Run(ctx, prompt, generate.Settings{Most: 64, Ends: []int64{2}}, nil)
//
// A model takes input_ids and what it has of attention_mask and position_ids, int64 of [batch, sequence], and gives logits of [batch, sequence,
// vocabulary]. With past_key_values.N.key and .value [batch, heads, past, width] and outputs present.N.key and .value, Optimum's
// names, keys and values of earlier tokens are kept; otherwise every step computes all tokens anew.
//
// Drawn tokens are a pure function of the logits, the seed and the number of the token: package noise draws them.
//
// With Settings.Debias a model is asked twice, the second time behind a text that asks for bias, and what becomes likelier there is made
// less likely (SelfDebias).
package generate

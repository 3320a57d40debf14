// Package session has language models in ONNX Runtime answer what benchmarks of bias ask: it gives package bias its scorers.
//
//	m, err := session.New(model, runtime.Options{})
//	if err != nil {
//		return err
//	}
//	defer m.Close()
//	asked := bias.Model{Tokenizer: session.Tokenizer(t), Masked: m.Masked(), Encoder: m.Encoder()}
//
// A model takes token numbers as input_ids and what it has of attention_mask, token_type_ids and position_ids, all of
// [batch, sequence], and gives logits of [batch, sequence, vocabulary], last_hidden_state of [batch, sequence, width], or scores for
// next sentences of [batch, 2]; other names that exporters use are known too. A cache of the tokens before (past_key_values) is
// given empty. Questions are put together by length, so that nothing is padded, and of the logits the rows that are asked about are
// computed alone.
package session

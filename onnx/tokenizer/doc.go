// Package tokenizer turns text into the tokens of a language model and back: WordPiece, byte-level BPE, SentencePiece's BPE with bytes for
// what has no token, Unigram and whole words. It reads Hugging Face's tokenizer.json, vocab.txt, vocab.json with merges.txt, the
// vocabularies of GGUF files and llama2.c's tokenizer.bin, and every one of them can be written as a tokenizer.json.
//
//	t, err := tokenizer.Open("model") // a folder, or one of its files
//	if err != nil {
//		return err // `model/tokenizer.json: pre_tokenizer: regular expression "a(?!b)": negative look-ahead (?!… is not done`
//	}
//	e, err := t.Encode("Hello, world!") // e.IDs with [CLS] and [SEP], or what the model has
//	text := t.Decode(e.IDs, true)       // without them
//
// Ids and decoded text are those of Hugging Face tokenizers, which testdata/peers/tokenizer_lines.py holds them against. A part of a
// tokenizer.json, a setting or a pattern that would change them and is not known here is refused by name, never passed over. Text that
// is not UTF-8 is refused.
package tokenizer

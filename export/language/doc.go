// Package language brings pretrained language models into ONNX and back: folders of Hugging Face (config.json with
// model.safetensors, a list of several files, or pytorch_model.bin), GGUF files and llama2.c's become networks of
// graphs/language, and those folders and files again.
//
//	s, err := language.OpenFolder("SmolLM2-135M")
//	if err != nil {
//		return err // `SmolLM2-135M/config.json: model_type: "mamba" is not known: there are bert, distilbert, gpt2, llama, roberta`
//	}
//	defer s.Close()
//	m, err := s.Model(s.Options)
//	if err != nil {
//		return err // every tensor that is missing, not known or of another shape, in one line
//	}
//
// Whatever a configuration says that would change what the network computes, and is not built here, is refused by its name.
// Weights of 16 bits become float32.
package language

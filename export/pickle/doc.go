// Package pickle reads PyTorch's files without Python: an allow-list machine that can build tensors and plain containers
// and nothing else. The first global outside the list refuses the file by its name; nothing is ever called, and there is no
// second way to load what the machine refuses.
//
//	f, err := pickle.ReadFile("model.pth") // zip, legacy or plain pickle, told apart by content
//	if err != nil {
//		return err // `model.pth: pickle: global "os.system" at byte 2 is not allowed; …`
//	}
//	tensors, err := f.Tensors() // a state dict as named tensors
//	if mask, ok := f.Root.(*onnx.Tensor); ok {
//		...
//	}
//
// Read: torch.save's zip form, the legacy form before PyTorch 1.6, and a plain pickle of a tensor. Strided views come out
// contiguous. TorchScript archives, tar checkpoints and whole pickled modules are refused.
package pickle

// Package atomicfile writes files that are whole or not there: beside the target, synced, renamed over it, and the folder
// synced. It is under onnx, and imports nothing of graft, because the codec at the bottom writes files as the command
// line at the top does.
//
//	err := atomicfile.Write("model.onnx", 0o644, func(w io.Writer) error {
//		return model.Encode(w)
//	})
//	if errors.Is(err, syscall.ENOSPC) {
//		// err reads "write model.onnx: disk full: free some space or write elsewhere"; the old file is untouched
//	}
package atomicfile

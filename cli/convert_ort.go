package cli

import (
	"io"
	"os"
	"path/filepath"

	"graft/runtime"
)

// writeORT has ONNX Runtime write its own format into a folder that is new, and puts the file from there in its place.
func (c *call) writeORT(w *content, path string) (int64, error) {
	if w.model == nil {
		w.release()
		return 0, &Error{File: path, Reason: "weights without a network make no file of ONNX Runtime's", Code: exitInput,
			Hint: "put them into a model of the same parameters: graft convert model.onnx --weights FILE"}
	}
	m := w.model.Clone()
	if m.Graph.UnlistInitializers() > 0 { // folded away, one that is an input as well would be an input that must be fed
		m.IRVersion = max(m.IRVersion, 4)
	}
	data, err := encodeModel(m, path)
	if err != nil {
		return 0, err
	}
	folder, err := os.MkdirTemp("", "graft-ort-")
	if err != nil {
		return 0, &Error{File: path, Err: err, Code: exitEnvironment}
	}
	defer os.RemoveAll(folder)
	made := filepath.Join(folder, "model.ort")
	if err := runtime.WriteORT(data, made, c.runtimeOptions()); err != nil {
		return 0, runtimeError(err, c.Arg(0))
	}
	f, err := os.Open(made)
	if err != nil {
		return 0, &Error{File: path, Err: err, Code: exitEnvironment}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, &Error{File: path, Err: err, Code: exitEnvironment}
	}
	return c.writeEach(path, info.Size(), func(out io.Writer) error {
		_, err := io.Copy(out, f)
		return err
	})
}

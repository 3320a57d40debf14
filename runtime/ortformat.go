package runtime

// WriteORT has ONNX Runtime write a serialized model, as it has optimized it, to path in its own format, which builds without
// ONNX's reader take. Optimizations that suit one processor alone are left out. What is at path is replaced: name a file in a
// folder that nobody else writes to. The errors are Open's.
func WriteORT(model []byte, path string, o Options) error {
	o.Provider, o.Save = "cpu", path
	if o.Optimization == OptimizeAll {
		o.Optimization = OptimizeExtended
	}
	s, err := Open(model, o)
	if err != nil {
		return err
	}
	return s.Close()
}

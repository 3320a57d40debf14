//go:build !cgo

package runtime

import (
	"context"

	"graft/onnx"
)

// errNoCgo is what everything that runs a model answers in a static build.
func errNoCgo() error {
	return &MissingError{
		What: "this build has no ONNX Runtime (built with CGO_ENABLED=0)",
		Fix:  "use a graft built with CGO_ENABLED=1 and a C compiler",
	}
}

// probe cannot load a library in this build.
func probe(string) (string, error) { return "", nil }

// probeProviders cannot load a library in this build.
func probeProviders(string) ([]string, error) { return nil, errNoCgo() }

// Supported says why this build cannot run models.
func Supported() error { return errNoCgo() }

func describe(info *Information, o Options) error {
	if library, err := newFinder(o, false).find(o); err == nil {
		info.setLibrary(*library)
	}
	return errNoCgo()
}

// Session is a model ready to run; this build makes none.
type Session struct{}

// Open says that this build has no ONNX Runtime.
func Open([]byte, Options) (*Session, error) { return nil, errNoCgo() }

// OpenSteps says that this build has no ONNX Runtime.
func OpenSteps([]byte, Options) (*Session, error) { return nil, errNoCgo() }

// OpenModel says that this build has no ONNX Runtime.
func OpenModel(*onnx.Model, Options) (*Session, error) { return nil, errNoCgo() }

// Inputs are none.
func (s *Session) Inputs() []Port { return nil }

// Outputs are none.
func (s *Session) Outputs() []Port { return nil }

// Provider is empty.
func (s *Session) Provider() string { return "" }

// Placement is empty.
func (s *Session) Placement() Placement { return Placement{} }

// Close does nothing.
func (s *Session) Close() error { return nil }

// Run says that this build has no ONNX Runtime.
func (s *Session) Run(context.Context, map[string]*onnx.Tensor, ...string) (map[string]*onnx.Tensor, error) {
	return nil, errNoCgo()
}

// NewState says that this build has no ONNX Runtime.
func (s *Session) NewState(map[string]*onnx.Tensor, []Link, ...string) (*State, error) {
	return nil, errNoCgo()
}

// State is what a training loop keeps between steps; this build makes none.
type State struct{}

// Step says that this build has no ONNX Runtime.
func (st *State) Step(context.Context, map[string]*onnx.Tensor) error { return errNoCgo() }

// Hold says that this build has no ONNX Runtime.
func (st *State) Hold(string, *onnx.Tensor) error { return errNoCgo() }

// Output says that this build has no ONNX Runtime.
func (st *State) Output(string) (*onnx.Tensor, error) { return nil, errNoCgo() }

// Read says that this build has no ONNX Runtime.
func (st *State) Read(string) (*onnx.Tensor, error) { return nil, errNoCgo() }

// Peek says that this build has no ONNX Runtime.
func (st *State) Peek(string) (*onnx.Tensor, error) { return nil, errNoCgo() }

// Write says that this build has no ONNX Runtime.
func (st *State) Write(string, *onnx.Tensor) error { return errNoCgo() }

// Close does nothing.
func (st *State) Close() error { return nil }

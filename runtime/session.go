//go:build cgo

package runtime

import (
	"fmt"
	"path/filepath"
	"reflect"
	goruntime "runtime"
	"slices"
	"sync"
	"sync/atomic"

	ort "github.com/yalue/onnxruntime_go"

	"graft/onnx"
)

// Session is a model ready to run. It is safe for concurrent use.
type Session struct {
	env         *environment
	placement   Placement
	log         placementLog
	inputs      []Port
	outputs     []Port
	overridable []Port           // initializers that may be fed
	byName      map[string]*Port // inputs and overridable
	outputPort  map[string]*Port
	cNames      map[string]handle // every port's name as a C string

	opened    Options // what it was opened with
	copiersMu sync.Mutex
	copiers   map[string]*Session // which copy what lies on its device, by types

	captures bool         // states record their steps
	graphs   atomic.Int64 // recordings that were begun
	marks    atomic.Int64 // how often a state has taken memory on the device

	first   sync.Once    // guards the signals of the first run
	mu      sync.RWMutex // held for reading while the session runs
	weights weights
	binding *ort.DynamicAdvancedSession
	ptr     handle // the OrtSession inside binding; nil when closed
}

// Open loads ONNX Runtime if this process has not yet, and makes a session of a serialized model. Errors: *MissingError for
// a library, provider or device that is not there, ErrOption for an option that the provider does not have, ErrModel for a
// model that ONNX Runtime does not accept, *MemoryError for one that does not fit into memory. The model must be one that was
// read and checked first, with no external data left in it. Nothing falls back to another provider as a whole; single
// operators may, see Placement.
func Open(model []byte, o Options) (*Session, error) {
	o.Capture = false
	return open(model, nil, o)
}

// OpenSteps is Open for a session that a State runs step by step, and honours Options.Capture.
func OpenSteps(model []byte, o Options) (*Session, error) { return open(model, nil, o) }

// open is Open with the weights that the model's bytes lack.
func open(model []byte, apart []onnx.Apart, o Options) (_ *Session, err error) {
	if len(model) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrModel)
	}
	restore := guardSignals()
	defer restore()
	env, err := load(o)
	if err != nil {
		return nil, err
	}
	provider, err := env.provider(o)
	if err != nil {
		return nil, err
	}
	options, err := env.sessionOptions(o, provider)
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	s := &Session{env: env, opened: o, captures: o.Capture}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if provider != CPU {
		if s.log, err = env.listen(options, o.Verbose); err != nil {
			return nil, fmt.Errorf("%w: set session options: %w", ErrRuntime, err)
		}
	}
	if err = s.weights.add(&env.capi, options, apart); err != nil {
		return nil, thisMachine.openError(err, provider, filepath.Dir(env.library.Path))
	}
	if s.binding, err = ort.NewDynamicAdvancedSessionWithONNXData(model, nil, nil, options); err != nil {
		return nil, thisMachine.openError(err, provider, filepath.Dir(env.library.Path))
	}
	if s.ptr = pointerIn(s.binding, "s", "ortSession"); s.ptr == nil {
		return nil, fmt.Errorf("%w: the binding gives no session", ErrRuntime)
	}
	if err := s.place(provider); err != nil {
		return nil, err
	}
	if o.Strict {
		if err := s.placement.strictError(); err != nil {
			return nil, err
		}
	}
	if err := s.describe(); err != nil {
		return nil, err
	}
	if o.Placed != nil {
		o.Placed(s.Placement())
	}
	if len(apart) > 0 {
		goruntime.SetFinalizer(s, (*Session).Close) // memory that stays pinned when its owner is collected is a crash
	}
	return s, nil
}

// place finds out where the session's nodes run.
func (s *Session) place(provider string) error {
	s.placement = Placement{Provider: provider}
	if provider == CPU {
		return nil
	}
	nodes, err := s.env.assignments(s.ptr)
	if err != nil {
		return fmt.Errorf("%w: list where nodes run: %w", ErrRuntime, err)
	}
	s.placement = placementOf(provider, nodes, s.log.end())
	return nil
}

// describe fills in the ports.
func (s *Session) describe() (err error) {
	for _, kind := range []struct {
		to    *[]Port
		slots portSlots
	}{{&s.inputs, inputSlots}, {&s.outputs, outputSlots}, {&s.overridable, overridableSlots}} {
		if *kind.to, err = s.env.ports(s.ptr, kind.slots); err != nil {
			return fmt.Errorf("%w: %w", ErrModel, err)
		}
	}
	s.byName, s.outputPort, s.cNames = map[string]*Port{}, map[string]*Port{}, map[string]handle{}
	for i := range s.overridable {
		s.byName[s.overridable[i].Name] = &s.overridable[i]
	}
	for i := range s.inputs {
		s.byName[s.inputs[i].Name] = &s.inputs[i]
	}
	for i := range s.outputs {
		s.outputPort[s.outputs[i].Name] = &s.outputs[i]
	}
	for name := range s.byName {
		s.cNames[name] = cString(name)
	}
	for name := range s.outputPort {
		if s.cNames[name] == nil {
			s.cNames[name] = cString(name)
		}
	}
	return nil
}

// Inputs are what a run must be fed with.
func (s *Session) Inputs() []Port { return slices.Clone(s.inputs) }

// Outputs are what a run gives.
func (s *Session) Outputs() []Port { return slices.Clone(s.outputs) }

// Provider is the full name of the provider that the session was opened with.
func (s *Session) Provider() string { return s.placement.Provider }

// Placement says where the session's nodes run.
func (s *Session) Placement() Placement {
	p := s.placement
	p.Fallback = slices.Clone(p.Fallback)
	return p
}

// Close frees the session. It waits for runs under way. A closed session gives errors.
func (s *Session) Close() error {
	defer s.closeCopiers() // when no other can be opened any more
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.binding != nil {
		err = s.binding.Destroy()
	}
	s.log.free()
	s.binding, s.ptr, s.log = nil, nil, placementLog{}
	s.weights.release()
	for _, p := range s.cNames {
		freeC(p)
	}
	s.cNames = nil
	return err
}

// pointerIn follows fields of a struct of the binding to the pointer of ONNX Runtime's object; nil when there is no such
// field.
func pointerIn(object any, fields ...string) handle {
	v := reflect.ValueOf(object)
	for _, f := range fields {
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			return nil
		}
		if v = v.FieldByName(f); !v.IsValid() {
			return nil
		}
	}
	if v.Kind() != reflect.Pointer {
		return nil
	}
	return v.UnsafePointer()
}

//go:build cgo

package runtime

import (
	"fmt"
	"reflect"
	"slices"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// Session is a model ready to run. It is safe for concurrent use.
type Session struct {
	env         *environment
	provider    string
	inputs      []Port
	outputs     []Port
	overridable []Port           // initializers that may be fed
	byName      map[string]*Port // inputs and overridable
	outputPort  map[string]*Port
	cNames      map[string]handle // every port's name as a C string

	mu      sync.RWMutex // held for reading while the session runs
	binding *ort.DynamicAdvancedSession
	ptr     handle // the OrtSession inside binding; nil when closed
}

// Open loads ONNX Runtime if this process has not yet, and makes a session of a serialized model. Errors: *MissingError for
// a library or provider that is not there, ErrModel for a model that ONNX Runtime does not accept. The model must be one that
// was read and checked first, with no external data left in it.
func Open(model []byte, o Options) (*Session, error) {
	if len(model) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrModel)
	}
	env, err := load(o)
	if err != nil {
		return nil, err
	}
	provider, err := env.provider(o)
	if err != nil {
		return nil, err
	}
	options, err := sessionOptions(o, provider)
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	binding, err := ort.NewDynamicAdvancedSessionWithONNXData(model, nil, nil, options)
	if err != nil {
		return nil, openError(err, provider)
	}
	s := &Session{env: env, provider: provider, binding: binding, ptr: pointerIn(binding, "s", "ortSession")}
	if s.ptr == nil {
		err = fmt.Errorf("%w: the binding gives no session", ErrRuntime)
	} else {
		err = s.describe()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
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
func (s *Session) Provider() string { return s.provider }

// Close frees the session. It waits for runs under way. A closed session gives errors.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.binding == nil {
		return nil
	}
	err := s.binding.Destroy()
	s.binding, s.ptr = nil, nil
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

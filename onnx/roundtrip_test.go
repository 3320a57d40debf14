package onnx

import (
	"bytes"
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"graft/onnx/internal/onnxpb"
)

// nodeTests is the folder of ONNX's node tests: $GRAFT_ONNX_TESTDATA/node, or where Debian installs them.
func nodeTests(t testing.TB) string {
	dir := os.Getenv("GRAFT_ONNX_TESTDATA")
	if dir == "" {
		dir = "/usr/include/onnx/backend/test/data"
	}
	dir = filepath.Join(dir, "node")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no node tests: %v (GRAFT_ONNX_TESTDATA names the folder that holds node/)", err)
	}
	return dir
}

func TestBackendNodeRoundTrip(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(nodeTests(t), "*", "model.onnx"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no models: %v", err)
	}
	passed, refused, failed := 0, 0, 0
	for _, f := range files {
		name := filepath.Base(filepath.Dir(f))
		var refusal *InvalidError
		switch err := roundTrip(f); {
		case err == nil:
			passed++
		case errors.As(err, &refusal):
			refused++
			t.Errorf("%s: %v", name, err)
		default:
			failed++
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Logf("%d passed, %d refused, %d failed of %d cases", passed, refused, failed, len(files))
}

func TestModelRoundTrip(t *testing.T) {
	files, _ := filepath.Glob("../../shared/data/onnx/*.onnx")
	if len(files) == 0 { // a worktree beside the others
		files, _ = filepath.Glob("../../../shared/data/onnx/*.onnx")
	}
	if len(files) == 0 {
		t.Skip("no models in ../shared/data/onnx")
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			if err := roundTrip(f); err != nil {
				t.Error(err)
			}
		})
	}
}

// roundTrip reads, writes and reads a file again, and compares what the files say.
func roundTrip(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	m, err := Decode(data)
	if err != nil {
		return err
	}
	first, err := m.Encode()
	if err != nil {
		return err
	}
	if err := sameModel(data, first); err != nil {
		return err
	}
	m, err = Decode(first)
	if err != nil {
		return errors.New("the second decode: " + err.Error())
	}
	second, err := m.Encode()
	if err != nil {
		return err
	}
	if !slices.Equal(first, second) {
		return errors.New("the second encoding differs from the first")
	}
	return encodedAlike(m, first)
}

// encodedAlike holds an encoding of m against what EncodeTo writes and against its message, encoded as a whole.
func encodedAlike(m *Model, data []byte) error {
	var streamed bytes.Buffer
	if err := m.EncodeTo(&streamed); err != nil {
		return err
	}
	if !bytes.Equal(data, streamed.Bytes()) {
		return errors.New("EncodeTo writes other bytes than Encode gives")
	}
	pb, err := m.message()
	if err != nil {
		return err
	}
	whole, err := proto.MarshalOptions{Deterministic: true}.Marshal(pb)
	if err != nil {
		return err
	}
	if !bytes.Equal(data, whole) {
		return errors.New("the encoding is not that of the message")
	}
	return nil
}

func sameModel(a, b []byte) error {
	var x, y onnxpb.ModelProto
	if err := proto.Unmarshal(a, &x); err != nil {
		return err
	}
	if err := proto.Unmarshal(b, &y); err != nil {
		return err
	}
	normalise(x.ProtoReflect())
	normalise(y.ProtoReflect())
	if proto.Equal(&x, &y) {
		return nil
	}
	return errors.New("differs: " + difference(x.ProtoReflect(), y.ProtoReflect(), ""))
}

// normalise removes what has no meaning: empty strings and how tensor elements are stored. Names of nodes without one are
// chosen at write, so they go too.
func normalise(m protoreflect.Message) {
	if t, ok := m.Interface().(*onnxpb.TensorProto); ok {
		var d decoder
		c := proto.CloneOf(t)
		if v := d.tensor(c, ""); v != nil && v.DType.Valid() {
			t.FloatData, t.Int32Data, t.Int64Data, t.DoubleData, t.Uint64Data = nil, nil, nil, nil, nil
			t.RawData = nil
			if len(v.Data) > 0 {
				t.RawData = v.Data
			}
			t.DataLocation, t.ExternalData = nil, nil
		}
	}
	if g, ok := m.Interface().(*onnxpb.GraphProto); ok {
		var d decoder
		g.Node = d.lastConstants(g.Node, "")
		slices.SortStableFunc(g.Node, func(a, b *onnxpb.NodeProto) int { return slices.Compare(a.Output, b.Output) })
		slices.SortStableFunc(g.ValueInfo, func(a, b *onnxpb.ValueInfoProto) int { return cmp.Compare(a.GetName(), b.GetName()) })
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() != nil && f.IsList():
			for i := range v.List().Len() {
				normalise(v.List().Get(i).Message())
			}
		case f.Message() != nil:
			normalise(v.Message())
		case f.Kind() == protoreflect.Int64Kind && f.Name() == "model_version" && v.Int() == 0:
			m.Clear(f)
		case f.Kind() == protoreflect.StringKind && !f.IsList() && v.String() == "" && f.ContainingOneof() == nil:
			m.Clear(f)
		}
		return true
	})
	if n, ok := m.Interface().(*onnxpb.NodeProto); ok && n.Name != nil {
		if stem, number, found := strings.Cut(n.GetName(), n.GetOpType()+"_"); found && stem == "" && strings.Trim(number, "0123456789") == "" {
			n.Name = nil
		}
	}
}

// difference names the first field in which two messages differ.
func difference(a, b protoreflect.Message, path string) string {
	fields := a.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		x, y := a.Get(f), b.Get(f)
		if x.Equal(y) && a.Has(f) == b.Has(f) {
			continue
		}
		at := path + "." + string(f.Name())
		switch {
		case f.IsList() && f.Message() != nil && x.List().Len() == y.List().Len():
			for i := range x.List().Len() {
				p, q := x.List().Get(i), y.List().Get(i)
				if !p.Equal(q) {
					return difference(p.Message(), q.Message(), at)
				}
			}
		case f.Message() != nil && !f.IsList() && a.Has(f) && b.Has(f):
			return difference(x.Message(), y.Message(), at)
		case f.IsList():
			return at + ": lists differ in length or elements"
		}
		return at + ": " + x.String() + " became " + y.String()
	}
	return path + ": unknown fields"
}

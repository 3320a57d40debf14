package onnx

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

// Memory of a mapped file is the file's until somebody writes to it, and then only the pages that were written to.
func TestStored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	mustSave(t, mappedModel(t), path, SaveOptions{})
	data := mustLoad(t, path).Graph.Initializers()[3].Const.Data
	file := mustRead(t, path)
	here := func(part []byte) bool {
		m, offset := stored(part)
		return m != nil && bytes.Equal(part, file[offset:offset+int64(len(part))])
	}
	if !here(data) || !here(data[100:200]) || !here(data[len(data)-1:]) {
		t.Error("what was read is not taken for the file's")
	}
	data[70_000]++
	file[0]++
	if here(data) || here(data[70_000:70_001]) {
		t.Error("what was written to is taken for the file's")
	}
	if !here(data[:8]) || !here(data[100_000:]) {
		t.Error("what lies around a change is not taken for the file's")
	}
	if m, _ := mappingOf(make([]byte, 100)); m != nil {
		t.Error("other memory is taken for a file's")
	}
}

// A load that fails leaves no mapping behind.
func TestMappingsOfFailures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	mustSave(t, mappedModel(t), path, SaveOptions{})
	data := mustRead(t, path)
	before := len(mappings.list)
	for _, bad := range [][]byte{data[:len(data)-1], append(data[:len(data):len(data)], 0xff)} {
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path, LoadOptions{mapped: 1}); err == nil {
			t.Error("a damaged file was read")
		}
	}
	if n := len(mappings.list); n != before {
		t.Errorf("%d mappings stay", n-before)
	}
}

// A file that is cut while it is mapped gives an error that names it.
func TestHostileS16CutWhileMapped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	mustSave(t, mappedModel(t), path, SaveOptions{})
	m := mustLoad(t, path)
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	read := func(use func() error) (err error) {
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		defer func() {
			if p := recover(); p != nil {
				err = Fault(p)
			}
		}()
		return use()
	}
	for name, use := range map[string]func() error{
		"look": func() error { return m.Graph.Initializers()[4].Const.Clone().Check() },
		"encode": func() error {
			_, err := m.Encode()
			return err
		},
		"save": func() error { return m.Save(filepath.Join(filepath.Dir(path), "out.onnx")) },
	} {
		if err := read(use); err == nil || !strings.Contains(err.Error(), "became shorter") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "out.onnx")); err == nil {
		t.Error("a part of the model was saved")
	}
	if Fault("another panic") != nil || Fault(os.ErrClosed) != nil {
		t.Error("any panic is taken for a fault")
	}
}

// What is too large for protobuf goes out by itself: initializers first, tensors of attributes where that is not enough. The
// weights are holes in a file of 5 GB, and are not written.
func TestSaveTooLarge(t *testing.T) {
	const size = 1 << 30
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	file, err := os.Create(filepath.Join(dir, "w.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(5 * size); err != nil {
		t.Skipf("no large files here: %v", err)
	}
	file.Close()
	weight := func(i int) *onnxpb.TensorProto {
		w := &onnxpb.TensorProto{Name: proto.String(fmt.Sprint("w", i)), DataType: proto.Int32(int32(Uint8)), Dims: []int64{size}, RawData: make([]byte, 1)}
		refer(w, "w.bin", int64(i)*size, "")
		w.ExternalData[2].Value = proto.String(fmt.Sprint(size))
		return w
	}
	for attributes := range 4 {
		pb := goodModel()
		for i := range 2 {
			pb.Graph.Initializer = append(pb.Graph.Initializer, weight(i))
		}
		for i := range attributes {
			pb.Graph.Node = append(pb.Graph.Node, &onnxpb.NodeProto{OpType: proto.String("Constant"), Output: []string{fmt.Sprint("c", i)},
				Attribute: []*onnxpb.AttributeProto{{Name: proto.String("value"), Type: onnxpb.AttributeProto_TENSOR.Enum(), T: weight(2 + i)}}})
		}
		if err := os.WriteFile(path, marshal(t, pb), 0o644); err != nil {
			t.Fatal(err)
		}
		m := mustLoad(t, path)
		o := SaveOptions{Smallest: 1, Alignment: 1}
		laid, encoded, err := m.layOut(filepath.Join(dir, "out.onnx"), o)
		if err != nil {
			t.Fatal(err)
		}
		files, out, in := laid.files, int64(2), int64(attributes)
		if attributes >= 2 { // two of them fill a file of protobuf
			out, in = int64(2+attributes), 0
		}
		if len(files) != 1 || files[0].location != "out.onnx_data" || files[0].size < out*size || files[0].size > out*size+1000 ||
			int64(encoded.size) < in*size || int64(encoded.size) > in*size+10_000 {
			t.Errorf("%d in attributes: %d bytes and %d files", attributes, encoded.size, len(files))
		}
	}
}

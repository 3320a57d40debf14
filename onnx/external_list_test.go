package onnx

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

func TestExternalFiles(t *testing.T) {
	m, err := Parse(`<ir_version: 8, opset_import: ["" : 17]>
two (float[2] x) => (float[2] y) <float[2] a = {1, 2}, float[2] b = {3, 4}> {
   s = Add (x, a)
   y = Add (s, b)
}`)
	if err != nil {
		t.Fatal(err)
	}
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	write := func(change func(*onnxpb.ModelProto)) {
		var pb onnxpb.ModelProto
		if err := proto.Unmarshal(data, &pb); err != nil {
			t.Fatal(err)
		}
		change(&pb)
		out, err := proto.Marshal(&pb)
		if err == nil {
			err = os.WriteFile(path, out, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(func(*onnxpb.ModelProto) {})
	if got, err := ExternalFiles(path); err != nil || len(got) != 0 {
		t.Fatalf("inline weights: %v, %v", got, err)
	}
	write(func(pb *onnxpb.ModelProto) {
		for i, tensor := range pb.Graph.Initializer {
			tensor.RawData, tensor.FloatData = nil, nil
			tensor.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
			tensor.ExternalData = []*onnxpb.StringStringEntryProto{{Key: proto.String("location"), Value: proto.String([]string{"w.bin", "other/w.bin"}[i])}}
		}
	})
	got, err := ExternalFiles(path)
	if err != nil || !slices.Equal(got, []string{"w.bin", "other/w.bin"}) {
		t.Fatalf("%v, %v", got, err)
	}
	if err := os.WriteFile(path, []byte("no model"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ExternalFiles(path); err == nil {
		t.Fatal("text is taken for a model")
	}
}

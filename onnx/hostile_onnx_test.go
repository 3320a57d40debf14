package onnx

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"graft/onnx/hostiletest"
	"graft/onnx/internal/onnxpb"
)

// TestHostileO01Truncated cuts a model at every byte: what is read of it, cut between fields, is a model.
func TestHostileO01Truncated(t *testing.T) {
	data := marshal(t, goodModel())
	if _, err := Decode(data); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < len(data); n++ {
		if m, err := Decode(data[:n]); err == nil {
			if _, err := m.Encode(); err != nil {
				t.Errorf("%d bytes: %v", n, err)
			}
		} else {
			mustRefuse(t, err, "")
		}
	}
	for b := range 256 {
		if _, err := Decode([]byte{byte(b)}); err == nil {
			t.Errorf("accepted the byte %#x", b)
		}
	}
}

// TestHostileTensors decodes tensors on their own; as long as their data ought to be, narrow ones are read.
func TestHostileTensors(t *testing.T) {
	for _, b := range hostiletest.Tensors() {
		_, err := DecodeTensor(marshal(t, b.Tensor))
		if err == nil {
			t.Errorf("%s: accepted", b.Name)
			continue
		}
		mustRefuse(t, err, b.Says)
	}
	for d, size := range map[DataType]int{Int4: 3, Uint4: 3, Float4E2M1: 3, Int2: 2, Uint2: 2, Bool: 5, Float8E4M3FN: 5, Float8E8M0: 5} {
		x := wTensor(d, 5)
		x.Int32Data = make([]int32, size)
		if _, err := DecodeTensor(marshal(t, x)); err != nil {
			t.Errorf("%v: %v", d, err)
		}
	}
}

// TestHostileBounds reads what is just within the bounds.
func TestHostileBounds(t *testing.T) {
	for name, m := range map[string]*onnxpb.ModelProto{
		"another overload": hostiletest.WithFunctions(hostiletest.Function("a", "", hostiletest.Call("a", "other", "y")), hostiletest.Function("a", "other")),
		"calls 100 deep":   hostiletest.Chain(100, 1),
		"graphs 32 deep":   hostiletest.Deep(32),
	} {
		if _, err := Decode(marshal(t, m)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHostileO22CustomOperator(t *testing.T) {
	m := goodModel()
	n := pbNode("Gelu", []string{"w"}, []string{"y"})
	n.Domain = proto.String("com.microsoft")
	n.Attribute = []*onnxpb.AttributeProto{{Name: proto.String("library"), S: []byte("/tmp/evil.so"), Type: onnxpb.AttributeProto_STRING.Enum()}}
	m.Graph.Node = []*onnxpb.NodeProto{n}
	got, err := Decode(marshal(t, m))
	if err != nil {
		t.Fatal(err)
	}
	if f := Check(got); len(f) == 0 || f[0].Rule != "opset-import" {
		t.Errorf("findings: %v", f)
	}
}

func TestHostileO23Metadata(t *testing.T) {
	m := goodModel()
	for range maxMetadata + 1 {
		m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: proto.String("k"), Value: proto.String("v")})
	}
	_, err := Decode(marshal(t, m))
	mustRefuse(t, err, "metadata")
	m.MetadataProps = m.MetadataProps[:2]
	got, err := Decode(marshal(t, m))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(fmt.Sprint(Check(got)), `key "k" occurs twice`) {
		t.Errorf("findings: %v", Check(got))
	}
}

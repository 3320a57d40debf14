package hostiletest

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

// graphs are attacks by names, versions and the order of nodes.
func graphs() []Model {
	nodes := func(name, says string, list ...*onnxpb.NodeProto) Model {
		return wrong("O14", name, says, func() *onnxpb.ModelProto {
			m := Good()
			m.Graph.Node = list
			return m
		})
	}
	changed := func(id, name, says string, change func(m *onnxpb.ModelProto)) Model {
		return wrong(id, name, says, func() *onnxpb.ModelProto {
			m := Good()
			change(m)
			return m
		})
	}
	branch := func(in, out string) *onnxpb.AttributeProto {
		return GraphAttr("then_branch", &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{Node("Neg", []string{in}, []string{out})}})
	}
	list := []Model{
		nodes("cycle", "depends on its own output", Node("Add", []string{"w", "b"}, []string{"y"}), Node("Neg", []string{"y"}, []string{"b"})),
		nodes("cycle of one node", "depends on its own output", Node("Add", []string{"y", "y"}, []string{"y"})),
		nodes("cycle through a branch", "depends on its own output", Node("If", []string{"w"}, []string{"y"}, branch("y", "z"))),
		nodes("undefined input", `"nothing", which nothing defines`, Node("Neg", []string{"nothing"}, []string{"y"})),
		nodes("value made twice", `"y" is defined twice`, Node("Neg", []string{"w"}, []string{"y"}), Node("Abs", []string{"w"}, []string{"y"})),
		nodes("initializer made again", `"w" is defined twice`, Node("Neg", []string{"w"}, []string{"w"})),
		nodes("shadow in a branch", "in a graph around it", Node("If", []string{"w"}, []string{"y"}, branch("w", "w"))),
		changed("O14", "initializer twice", "defined twice", func(m *onnxpb.ModelProto) { m.Graph.Initializer = append(m.Graph.Initializer, m.Graph.Initializer[0]) }),
		changed("O14", "undefined output", `"z", is not defined`, func(m *onnxpb.ModelProto) { m.Graph.Output[0].Name = proto.String("z") }),
		changed("O14", "initializer without a name", "no name", func(m *onnxpb.ModelProto) { m.Graph.Initializer[0].Name = nil }),
	}
	opsets := func(name, says string, sets ...*onnxpb.OperatorSetIdProto) Model {
		return changed("O15", name, says, func(m *onnxpb.ModelProto) { m.OpsetImport = sets })
	}
	list = append(list, opsets("no opset", "no operator set"))
	for _, v := range []int64{0, -1, 1 << 31, math.MaxInt64} {
		list = append(list,
			opsets(fmt.Sprint("opset ", v), strconv.FormatInt(v, 10), &onnxpb.OperatorSetIdProto{Version: &v}),
			changed("O16", fmt.Sprint("ir_version ", v), "ir_version", func(m *onnxpb.ModelProto) { m.IrVersion = &v }))
	}
	list = append(list,
		opsets("opsets 17 and 18", "imported twice", &onnxpb.OperatorSetIdProto{Version: proto.Int64(17)}, &onnxpb.OperatorSetIdProto{Version: proto.Int64(18)}),
		opsets("opsets 17 and 18 under two names", "imported twice", &onnxpb.OperatorSetIdProto{Version: proto.Int64(17), Domain: proto.String("ai.onnx")},
			&onnxpb.OperatorSetIdProto{Version: proto.Int64(18)}))
	for _, name := range Names() {
		list = append(list, changed("O23", fmt.Sprintf("the name %.20q", name), "which nothing defines", func(m *onnxpb.ModelProto) {
			m.Graph.Node[0].Input[0] = name
		}))
	}
	return append(list, message("O23", "a million entries of metadata", "metadata", func() *onnxpb.ModelProto {
		m := Good()
		one := &onnxpb.StringStringEntryProto{Key: proto.String("k"), Value: proto.String("v")}
		for range 1 << 20 {
			m.MetadataProps = append(m.MetadataProps, one)
		}
		return m
	}))
}

// Names are names that act on a terminal or a page, or are long.
func Names() []string {
	return []string{"\x1b[2J", "<script>", "]]>", "a\nb", "\xff", "\u202e", strings.Repeat("a", 1<<20)}
}
